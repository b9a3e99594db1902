#pragma once

#include <napi.h>

#include "../common/unique_fd.h"

namespace devsock {

/// One owned file descriptor as a JavaScript object; closed by close() or, at the latest, with the object.
class Descriptor : public Napi::ObjectWrap<Descriptor> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object make(Napi::Env env, UniqueFd fd);

  /// The number behind a Descriptor; TypeError for anything else, EBADF (said of `syscall`) for a closed one.
  static int number(Napi::Value value, const char* syscall);
  /// The same, and a plain number is taken as it is.
  static int number_or_plain(Napi::Value value, const char* syscall);

  /// Only make() gives it a descriptor: `new` from JavaScript makes a closed one.
  explicit Descriptor(const Napi::CallbackInfo& info);

 private:
  Napi::Value fd(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value duplicate(const Napi::CallbackInfo& info);

  UniqueFd fd_;
};

/// F_DUPFD_CLOEXEC, above 2 so that a duplicate never stands in for stdio.
UniqueFd duplicate_fd(int fd);

}  // namespace devsock
