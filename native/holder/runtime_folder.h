#pragma once

#include <string>

#include "../common/unique_fd.h"
#include "result.h"

namespace devsock {

/// The folder in which one holder and its daemon meet: its lock, its socket, the notify sockets.
class RuntimeFolder {
 public:
  /// EWOULDBLOCK: another holder or its daemon has the lock. `lock` is one that was inherited, or -1.
  static Result<RuntimeFolder> claim(const std::string& path, int lock);

  /// Binds holder.sock in place of what a holder that died left; whoever finds it can connect to it.
  Result<UniqueFd> listen();
  /// Removes what a holder that died left of its generations. Not when its daemon still lives: that hands over
  /// sockets which are in use.
  void clean();
  /// Unlinks everything that a holder makes, but for the lock.
  void remove();
  /// The last thing that a holder does, with its daemon gone: whoever finds no lock may start.
  void remove_lock();

  [[nodiscard]] const UniqueFd& lock() const { return lock_; }
  [[nodiscard]] std::string notify_folder() const { return path_ + "/n"; }

 private:
  RuntimeFolder(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  [[nodiscard]] std::string socket_path() const { return path_ + "/holder.sock"; }

  std::string path_;
  UniqueFd lock_;
};

}  // namespace devsock
