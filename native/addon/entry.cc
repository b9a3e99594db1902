#include "entry.h"

namespace devsock {

void call_back(const Napi::FunctionReference& callback, Napi::Object receiver,
               const std::vector<napi_value>& arguments) {
  // Not FunctionReference::MakeCallback: it makes an Error of every status, and the last calls of a dying
  // worker have statuses that are none.
  const napi_env env = callback.Env();
  napi_value result = nullptr;
  const napi_status status = napi_make_callback(env, nullptr, receiver, callback.Value(), arguments.size(),
                                                arguments.data(), &result);
  if (status != napi_pending_exception) return;
  napi_value exception = nullptr;
  if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
}

}  // namespace devsock
