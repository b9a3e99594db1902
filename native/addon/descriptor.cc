#include "descriptor.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "addon.h"
#include "entry.h"
#include "errors.h"

namespace devsock {

namespace {

// Marks the objects that wrap a Descriptor, so that no other wrapped object is taken for one.
constexpr napi_type_tag kTag = {0x6b1d3f0a52c94e77, 0x9f0c7c1de8a24b35};

}  // namespace

UniqueFd duplicate_fd(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

Napi::Function Descriptor::define(Napi::Env env) {
  return DefineClass(env, "Descriptor",
                     {
                         getter_named<Descriptor, &Descriptor::fd>("fd"),
                         method_named<Descriptor, &Descriptor::close>("close"),
                         method_named<Descriptor, &Descriptor::release>("release"),
                         method_named<Descriptor, &Descriptor::duplicate>("duplicate"),
                     });
}

Descriptor::Descriptor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Descriptor>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Napi::Object Descriptor::make(Napi::Env env, UniqueFd fd) {
  Napi::Object object = Addon::of(env).descriptor.New({});
  Unwrap(object)->fd_ = std::move(fd);
  return object;
}

int Descriptor::number(Napi::Value value, const char* syscall) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw Napi::TypeError::New(value.Env(), "a Descriptor was expected");
  }
  const int fd = Unwrap(value.As<Napi::Object>())->fd_.get();
  if (fd < 0) throw_system_error(value.Env(), EBADF, syscall, "closed Descriptor");
  return fd;
}

int Descriptor::number_or_plain(Napi::Value value, const char* syscall) {
  return value.IsNumber() ? value.As<Napi::Number>().Int32Value() : number(value, syscall);
}

Napi::Value Descriptor::fd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), fd_.get()); }

void Descriptor::close(const Napi::CallbackInfo&) { fd_.reset(); }

Napi::Value Descriptor::release(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), fd_.release());
}

Napi::Value Descriptor::duplicate(const Napi::CallbackInfo& info) {
  if (!fd_) throw_system_error(info.Env(), EBADF, "fcntl", "closed Descriptor");
  UniqueFd copy = fd_.duplicate();
  if (!copy) throw_system_error(info.Env(), errno, "fcntl");
  return make(info.Env(), std::move(copy));
}

}  // namespace devsock
