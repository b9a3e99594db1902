#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>

namespace devsock {

/// Readiness of one descriptor on the environment's event loop (uv_poll_t). It never owns the descriptor,
/// which must outlive it: declare it after the UniqueFd it watches. Never given a listening socket, whose
/// file description libuv would switch to O_NONBLOCK for every program that shares it.
class Poll {
 public:
  /// `status` is 0 or a negative errno of libuv; `events` is of UV_READABLE, UV_WRITABLE.
  using OnEvent = std::function<void(int status, int events)>;

  Poll() = default;
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;
  ~Poll() { close(); }

  /// 0, or a negative errno of libuv. `on_event` may close or even destroy this Poll.
  int open(Napi::Env env, int fd, OnEvent on_event);
  /// Which events to wait for; 0: none. Errors and hang-ups come with any.
  int want(int events);
  /// From now on it does not keep the environment alive.
  void unref();
  /// Idempotent. No event comes after it, and the descriptor may be closed at once.
  void close();
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  struct Handle;
  Handle* handle_ = nullptr;
};

}  // namespace devsock
