#include "poll.h"

#include <utility>

namespace devsock {

/// Lives until the loop has run uv_close()'s callback, which may be long after its Poll has gone. An
/// environment that ends (a worker thread) waits for that: its loop must have no handle left when it is freed,
/// so each handle has an asynchronous clean-up hook, removed by the callback.
struct Poll::Handle {
  uv_poll_t poll{};
  napi_async_cleanup_hook_handle hook = nullptr;
  Poll* owner = nullptr;
  OnEvent on_event;
  int wanted = 0;

  static void on_poll(uv_poll_t* poll, int status, int events) {
    auto* self = static_cast<Handle*>(poll->data);
    if (!self->owner) return;
    // A copy: the call may destroy the Poll, and uv_close()'s callback then frees this.
    const OnEvent on_event = self->on_event;
    on_event(status, events);
  }

  static void on_closed(uv_handle_t* handle) {
    auto* self = static_cast<Handle*>(handle->data);
    napi_remove_async_cleanup_hook(self->hook);
    delete self;
  }

  static void on_environment_end(napi_async_cleanup_hook_handle, void* data) {
    auto* self = static_cast<Handle*>(data);
    // Without an owner it is closing already, and on_closed ends the wait.
    if (self->owner) self->owner->close();
  }
};

int Poll::open(Napi::Env env, int fd, OnEvent on_event) {
  close();
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return UV_EINVAL;
  auto* handle = new Handle;
  if (const int status = uv_poll_init(loop, &handle->poll, fd); status != 0) {
    delete handle;
    return status;
  }
  handle->poll.data = handle;
  handle->owner = this;
  handle->on_event = std::move(on_event);
  napi_add_async_cleanup_hook(env, Handle::on_environment_end, handle, &handle->hook);
  handle_ = handle;
  return 0;
}

int Poll::want(int events) {
  if (!handle_ || handle_->wanted == events) return 0;
  handle_->wanted = events;
  if (events == 0) return uv_poll_stop(&handle_->poll);
  return uv_poll_start(&handle_->poll, events, Handle::on_poll);
}

void Poll::unref() {
  if (handle_) uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->poll));
}

void Poll::close() {
  if (!handle_) return;
  Handle* handle = std::exchange(handle_, nullptr);
  handle->owner = nullptr;
  handle->on_event = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), Handle::on_closed);
}

}  // namespace devsock
