#pragma once

#include <napi.h>

/// Calls about sockets; the shapes are those of native/index.ts, which has the documentation.
namespace devsock {

Napi::Value socket_info(const Napi::CallbackInfo& info);
Napi::Value queue_depth_of(const Napi::CallbackInfo& info);
Napi::Value accept_connection(const Napi::CallbackInfo& info);
Napi::Value probe_ip(const Napi::CallbackInfo& info);
Napi::Value probe_unix(const Napi::CallbackInfo& info);
void finish_writing(const Napi::CallbackInfo& info);
Napi::Value connections(const Napi::CallbackInfo& info);
Napi::Value bind_datagram(const Napi::CallbackInfo& info);
void send_datagram(const Napi::CallbackInfo& info);

}  // namespace devsock
