#pragma once

#include <napi.h>

#include <string_view>

namespace devsock {

/// What Node throws for a failed system call: an Error with `code` (the errno's name), `errno` (negative, as
/// libuv has it), `syscall` and, where one is known, `address`.
Napi::Error system_error(Napi::Env env, int error, std::string_view syscall, std::string_view address = {});

/// The same, thrown. `error` is read before anything else can change errno: pass `errno` itself.
[[noreturn]] inline void throw_system_error(Napi::Env env, int error, std::string_view syscall,
                                            std::string_view address = {}) {
  throw system_error(env, error, syscall, address);
}

}  // namespace devsock
