#pragma once

#include <napi.h>

#include "../common/unique_fd.h"
#include "poll.h"

namespace devsock {

/// Watches on folders and files, with one descriptor for all of them, and what happens there. Keeps the event loop
/// going until close().
class FileEvents : public Napi::ObjectWrap<FileEvents> {
 public:
  static Napi::Function define(Napi::Env env);
  /// fileEvents(callback)
  static Napi::Value start(const Napi::CallbackInfo& info);

  explicit FileEvents(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileEvents>(info) {}

 private:
  Napi::Value add(const Napi::CallbackInfo& info);
  void remove(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo&) { stop(); }
  void read();
  void stop();

  UniqueFd fd_;
  Poll poll_;
  Napi::FunctionReference callback_;
};

}  // namespace devsock
