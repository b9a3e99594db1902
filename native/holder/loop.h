#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../common/unique_fd.h"

namespace devsock {

class Loop;

/// Interest in a descriptor; ends with this object. It must go before the descriptor does: epoll knows the open
/// file, not the number, and a duplicate elsewhere would keep it reporting.
class Watch {
 public:
  using Callback = std::function<void(uint32_t events)>;

  Watch() = default;
  Watch(Watch&& other) noexcept { *this = std::move(other); }
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { close(); }

  /// False, with errno set, where the kernel cannot (ENOMEM, ENOSPC: fs.epoll.max_user_watches).
  [[nodiscard]] bool open(Loop& loop, int fd, uint32_t events, Callback callback);
  /// The events waited for from now on. An event that is pending is reported again, with EPOLLET too.
  void want(uint32_t events);
  void close();
  explicit operator bool() const { return loop_ != nullptr; }

 private:
  Loop* loop_ = nullptr;
  int fd_ = -1;
  uint64_t key_ = 0;
};

/// Calls once, some time after start(); not at all after cancel() or its own end.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> callback) : loop_(loop), callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  void start(std::chrono::milliseconds after);
  void cancel();
  [[nodiscard]] bool running() const { return running_; }

 private:
  friend class Loop;
  Loop& loop_;
  std::function<void()> callback_;
  std::chrono::steady_clock::time_point due_{};
  bool running_ = false;
};

/// One epoll set, its timers, and what is to be done after the present batch of events.
class Loop {
 public:
  /// False, with errno set, where epoll cannot be had.
  [[nodiscard]] bool open();
  /// Until stop().
  void run();
  void stop() { stopped_ = true; }
  /// Runs `task` when the events that came together with the present one have been handled.
  void defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }

 private:
  friend class Watch;
  friend class Timer;

  int milliseconds_to_next() const;
  void run_timers();
  void run_deferred();

  UniqueFd epoll_;
  // Events carry a key and not a pointer: an earlier one of the same batch may have ended this watch.
  std::unordered_map<uint64_t, std::shared_ptr<Watch::Callback>> watches_;
  uint64_t last_key_ = 0;
  std::set<std::pair<std::chrono::steady_clock::time_point, Timer*>> timers_;
  std::vector<std::function<void()>> deferred_;
  bool stopped_ = false;
};

}  // namespace devsock
