#include "watch.h"

#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <utility>

#include "addon.h"
#include "descriptor.h"
#include "entry.h"
#include "errors.h"

namespace devsock {

namespace {

bool is_listening(int fd) {
  int on = 0;
  socklen_t size = sizeof on;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on != 0;
}

}  // namespace

Napi::Function Watch::define(Napi::Env env) {
  return DefineClass(env, "Watch", {method_named<Watch, &Watch::unref>("unref"), method_named<Watch, &Watch::close>("close")});
}

Napi::Value Watch::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = Descriptor::number(info[0], "poll");
  // libuv makes what it polls O_NONBLOCK, a flag of the file description: of every program that shares it.
  if (is_listening(fd)) {
    throw Napi::TypeError::New(env, "a listening socket is never given to the event loop: use the holder's watch");
  }
  UniqueFd copy = duplicate_fd(fd);
  if (!copy) throw_system_error(env, errno, "fcntl");

  Napi::Object object = Addon::of(env).watch.New({});
  Watch* self = Unwrap(object);
  self->fd_ = std::move(copy);
  self->callback_ = Napi::Persistent(info[1].As<Napi::Function>());
  const int opened = self->poll_.open(env, self->fd_.get(), [self](int, int) {
    from_event_loop(self->Env(), [self] { self->fire(); });
  });
  if (opened != 0) throw_system_error(env, -opened, "uv_poll_init");
  if (const int status = self->poll_.want(UV_READABLE); status != 0) {
    throw_system_error(env, -status, "uv_poll_start");
  }
  self->Ref();
  return object;
}

void Watch::fire() {
  Napi::Object self = Value();
  const Napi::FunctionReference callback = std::move(callback_);
  stop();
  call_back(callback, self, {});
}

void Watch::stop() {
  if (!poll_) return;
  poll_.close();
  fd_.reset();
  callback_.Reset();
  Unref();
}

}  // namespace devsock
