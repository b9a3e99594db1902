#pragma once

#include <napi.h>

#include <vector>

namespace devsock {

/// Runs what the event loop calls: with a handle scope, and without letting a C++ exception through libuv. There
/// is one to stop where JavaScript may no longer run (a worker thread that is being ended): each call into the
/// environment then fails.
template <typename Body>
void from_event_loop(Napi::Env env, Body body) {
  const Napi::HandleScope scope(env);
  try {
    body();
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  }
}

/// Calls JavaScript, microtasks after it; what it throws is an uncaught exception, as from any callback of
/// Node's. To be called within from_event_loop().
void call_back(const Napi::FunctionReference& callback, Napi::Object receiver,
               const std::vector<napi_value>& arguments);

}  // namespace devsock
