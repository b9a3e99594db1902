#pragma once

#include <functional>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "loop.h"
#include "result.h"

namespace devsock {

/// Where one generation sends READY=1 (sd_notify(3)): a datagram socket of its own, so that the socket says whose
/// message it is, also when the sender has gone by the time that it is read.
class NotifySocket {
 public:
  /// `payload` has no NUL and is UTF-8.
  using Received = std::function<void(pid_t sender, const std::string& payload)>;

  NotifySocket() = default;
  /// A new one in `folder`, under the first free number.
  static Result<NotifySocket> bind(const std::string& folder);
  /// That of a generation which another holder started.
  static Result<NotifySocket> store(UniqueFd fd);

  Failed watch(Loop& loop, Received received);
  /// Unlinks its path. Idempotent.
  void remove();

  /// The descriptor; none where an adopted generation came without.
  [[nodiscard]] std::vector<int> fds() const { return fd_ ? std::vector{fd_.get()} : std::vector<int>(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void receive(const Received& received);

  UniqueFd fd_;
  std::string path_;
  Watch watch_;
};

}  // namespace devsock
