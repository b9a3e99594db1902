#include "file_events.h"

#include <uv.h>

#include <cerrno>
#include <string>

#include "addon.h"
#include "entry.h"
#include "errors.h"
#include "platform.h"

namespace devsock {

Napi::Function FileEvents::define(Napi::Env env) {
  return DefineClass(env, "FileEvents",
                     {
                         method_named<FileEvents, &FileEvents::add>("add"),
                         method_named<FileEvents, &FileEvents::remove>("remove"),
                         method_named<FileEvents, &FileEvents::close>("close"),
                     });
}

Napi::Value FileEvents::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  UniqueFd fd = file_events_open();
  if (!fd) throw_system_error(env, errno, "inotify_init1");
  Napi::Object object = Addon::of(env).file_events.New({});
  FileEvents* self = Unwrap(object);
  self->fd_ = std::move(fd);
  self->callback_ = Napi::Persistent(info[0].As<Napi::Function>());
  const int opened = self->poll_.open(env, self->fd_.get(), [self](int, int) {
    from_event_loop(self->Env(), [self] { self->read(); });
  });
  if (opened != 0) throw_system_error(env, -opened, "uv_poll_init");
  if (const int status = self->poll_.want(UV_READABLE); status != 0) {
    throw_system_error(env, -status, "uv_poll_start");
  }
  self->Ref();
  return object;
}

Napi::Value FileEvents::add(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  const int watch = file_events_add(fd_.get(), path);
  if (watch < 0) throw_system_error(info.Env(), errno, "inotify_add_watch", path);
  return Napi::Number::New(info.Env(), watch);
}

void FileEvents::remove(const Napi::CallbackInfo& info) {
  // One that the kernel has ended by itself, with its file, is none any more.
  file_events_remove(fd_.get(), info[0].As<Napi::Number>().Int32Value());
}

/// One read: what comes meanwhile waits for the loop's next turn.
void FileEvents::read() {
  std::vector<FileEvent> events;
  file_events_read(fd_.get(), events);
  Napi::Object self = Value();
  for (const FileEvent& event : events) {
    // The callback may close this.
    if (!poll_) return;
    const Napi::HandleScope scope(Env());
    call_back(callback_, self,
              {Napi::Number::New(Env(), event.watch), Napi::Number::New(Env(), event.mask),
               event.name.empty() ? Env().Null() : Napi::String::New(Env(), event.name)});
  }
}

void FileEvents::stop() {
  if (!poll_) return;
  poll_.close();
  fd_.reset();
  callback_.Reset();
  Unref();
}

}  // namespace devsock
