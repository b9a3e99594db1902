#pragma once

#include <napi.h>

namespace devsock {

/// What one environment (the main thread, or one worker thread) has of the addon. Nothing is static: a class
/// made in one environment means nothing in another.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports);

  static Addon& of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }

  Napi::FunctionReference descriptor;
  Napi::FunctionReference seqpacket;
  Napi::FunctionReference watch;
  Napi::FunctionReference file_events;
};

}  // namespace devsock
