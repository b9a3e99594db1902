#include "errors.h"

#include <cstring>
#include <string>

#include "../common/errno_name.h"

namespace devsock {

Napi::Error system_error(Napi::Env env, int error, std::string_view syscall, std::string_view address) {
  const std::string code = errno_name(error);
  std::string message = code + ": " + std::strerror(error) + ", " + std::string(syscall);
  if (!address.empty()) message += " " + std::string(address);

  Napi::Error result = Napi::Error::New(env, message);
  result.Set("code", code);
  result.Set("errno", Napi::Number::New(env, -error));
  result.Set("syscall", std::string(syscall));
  if (!address.empty()) result.Set("address", std::string(address));
  return result;
}

}  // namespace devsock
