#pragma once

#include <napi.h>

#include <vector>

namespace devsock {

/// Calls JavaScript from the event loop, microtasks after it; what it throws is an uncaught exception, as from
/// any callback of Node's. The caller has a handle scope. Nothing happens where no JavaScript may run any more
/// (an environment that is being torn down).
void call_back(const Napi::FunctionReference& callback, Napi::Object receiver,
               const std::vector<napi_value>& arguments);

}  // namespace devsock
