#pragma once

#include <napi.h>

#include <type_traits>
#include <vector>

/// The ways into this addon and out of it. node-addon-api has its own, which abort the process when an exception
/// cannot be given to JavaScript: and none can in a worker thread that is just being terminated. Here it is
/// dropped then, with the thread that would have seen it.
namespace devsock {

/// What JavaScript gets of a failed call, unless it can get nothing any more.
inline void give_exception(napi_env env, const Napi::Error& error) {
  try {
    napi_throw(env, error.Value());
  } catch (const Napi::Error&) {
    // Even asking for the value is a call into the environment.
  }
}

/// JavaScript calls C++: `body` gives a Napi::Value or nothing.
template <typename Body>
napi_value from_javascript(napi_env env, Body body) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
      body();
      return nullptr;
    } else {
      return body();
    }
  } catch (const Napi::Error& error) {
    give_exception(env, error);
    return nullptr;
  }
}

/// A free function as a napi_callback.
template <auto function>
napi_value call_function(napi_env env, napi_callback_info raw) {
  return from_javascript(env, [&] { return function(Napi::CallbackInfo(env, raw)); });
}

/// A method of an ObjectWrap as a napi_callback; Node checks what it is called on.
template <typename Class, auto method>
napi_value call_method(napi_env env, napi_callback_info raw) {
  return from_javascript(env, [&] {
    const Napi::CallbackInfo info(env, raw);
    return (Class::Unwrap(info.This().As<Napi::Object>())->*method)(info);
  });
}

template <typename Class, auto method>
napi_property_descriptor method_named(const char* name) {
  return {.utf8name = name, .name = nullptr, .method = call_method<Class, method>, .getter = nullptr,
          .setter = nullptr, .value = nullptr, .attributes = napi_default_method, .data = nullptr};
}

template <typename Class, auto method>
napi_property_descriptor getter_named(const char* name) {
  return {.utf8name = name, .name = nullptr, .method = nullptr, .getter = call_method<Class, method>,
          .setter = nullptr, .value = nullptr, .attributes = napi_enumerable, .data = nullptr};
}

/// The event loop calls C++: with a handle scope, and without letting an exception through libuv.
template <typename Body>
void from_event_loop(Napi::Env env, Body body) {
  const Napi::HandleScope scope(env);
  try {
    body();
  } catch (const Napi::Error&) {
    // What JavaScript throws ends in call_back(): this is an environment that takes no calls any more.
  }
}

/// C++ calls JavaScript, microtasks after it; what it throws is an uncaught exception, as from any callback of
/// Node's. To be called within from_event_loop().
void call_back(const Napi::FunctionReference& callback, Napi::Object receiver,
               const std::vector<napi_value>& arguments);

}  // namespace devsock
