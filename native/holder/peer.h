#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "loop.h"
#include "request.h"

namespace devsock {

/// Somebody connected to holder.sock. Requests are taken one at a time and only while nothing waits to be sent: who
/// does not read is not read from either.
class Peer {
 public:
  enum class Role { stranger, client, daemon };

  struct Events {
    std::function<void(Peer&, Request&, std::vector<UniqueFd>)> request;
    /// Once. The peer is closed and may be destroyed later, not within the call.
    std::function<void(Peer&)> closed;
  };

  Peer(Loop& loop, UniqueFd socket, ucred who, Events events);
  [[nodiscard]] bool open();

  /// Sends, or queues where it does not fit now. The descriptors stay the caller's. A peer whose queue is full is
  /// closed.
  void send(const std::vector<std::string>& fields, const std::vector<int>& fds = {});
  /// Calls `next` whenever there is room, until it returns false. No request is taken before that.
  void stream(std::function<bool()> next);
  /// No request is taken until resume().
  void hold();
  void resume();
  void close();

  [[nodiscard]] bool congested() const { return queue_.size() > kCongested; }
  [[nodiscard]] const ucred& who() const { return who_; }

  Role role = Role::stranger;

 private:
  struct Message {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };

  static constexpr size_t kMaxQueue = 4096;
  static constexpr size_t kCongested = 256;

  void on_event(uint32_t events);
  void receive();
  void flush();
  int send_now(const std::string& bytes, const std::vector<int>& fds);
  void update_interest();
  /// Takes no request now.
  [[nodiscard]] bool blocked() const { return held_ || stream_ || !queue_.empty(); }

  Loop& loop_;
  UniqueFd socket_;
  Watch watch_;
  ucred who_;
  Events events_;
  std::deque<Message> queue_;
  std::function<bool()> stream_;
  bool held_ = false;
  /// After ETOOMANYREFS: the socket is writable, and yet nothing can be sent.
  Timer again_;
};

}  // namespace devsock
