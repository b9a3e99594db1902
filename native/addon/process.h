#pragma once

#include <napi.h>

/// Calls about files, processes and limits; the shapes are those of native/index.ts.
namespace devsock {

Napi::Value memory_file_of(const Napi::CallbackInfo& info);
Napi::Value duplicate_number(const Napi::CallbackInfo& info);
void set_close_on_exec(const Napi::CallbackInfo& info);
void set_nonblocking(const Napi::CallbackInfo& info);
Napi::Value pidfd_open_of(const Napi::CallbackInfo& info);
void pidfd_signal_to(const Napi::CallbackInfo& info);
Napi::Value pidfd_exited(const Napi::CallbackInfo& info);
Napi::Value socket_owners_of(const Napi::CallbackInfo& info);
Napi::Value tripwire_over(const Napi::CallbackInfo& info);
void punch_hole_in(const Napi::CallbackInfo& info);
Napi::Value limits(const Napi::CallbackInfo& info);
void raise_file_limit(const Napi::CallbackInfo& info);

}  // namespace devsock
