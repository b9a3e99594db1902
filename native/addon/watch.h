#pragma once

#include <napi.h>

#include "../common/unique_fd.h"
#include "poll.h"

namespace devsock {

/// One wait for a descriptor to become readable: calls back once, then it is over. It watches a duplicate, so
/// the caller may close its own at any time.
class Watch : public Napi::ObjectWrap<Watch> {
 public:
  static Napi::Function define(Napi::Env env);
  /// onReadable(descriptor, callback)
  static Napi::Value start(const Napi::CallbackInfo& info);

  explicit Watch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Watch>(info) {}

 private:
  void fire();
  void stop();
  void close(const Napi::CallbackInfo&) { stop(); }
  void unref(const Napi::CallbackInfo&) { poll_.unref(); }

  UniqueFd fd_;
  Poll poll_;
  Napi::FunctionReference callback_;
};

}  // namespace devsock
