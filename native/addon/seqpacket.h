#pragma once

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "../common/unique_fd.h"
#include "poll.h"

namespace devsock {

/// A connected AF_UNIX SOCK_SEQPACKET socket as a JavaScript object.
class Seqpacket : public Napi::ObjectWrap<Seqpacket> {
 public:
  static Napi::Function define(Napi::Env env);
  /// connectSeqpacket(path)
  static Napi::Value connect(const Napi::CallbackInfo& info);
  /// seqpacketPair() → [Seqpacket, Seqpacket]
  static Napi::Value pair(const Napi::CallbackInfo& info);

  explicit Seqpacket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Seqpacket>(info) {}

 private:
  struct Outgoing {
    std::vector<uint8_t> data;
    std::vector<UniqueFd> fds;
  };

  static Napi::Object make(Napi::Env env, UniqueFd fd);

  Napi::Value peer(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);
  void start(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  void on_event(int status, int events);
  void receive(bool broken);
  void flush();
  void update_interest();
  /// The end, from outside: releases everything, then says so. `error` 0: the other end closed.
  void finish(int error, const char* syscall);
  void release();

  UniqueFd fd_;
  Poll poll_;
  std::deque<Outgoing> outgoing_;
  Napi::FunctionReference on_message_;
  Napi::FunctionReference on_close_;
  bool started_ = false;
};

}  // namespace devsock
