// libFuzzer target: everything in the holder that reads bytes of somebody else's making. Built and run by
// native/fuzz.mjs.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "../holder/address.h"
#include "../holder/request.h"
#include "../holder/spec.h"
#include "../holder/text.h"

namespace {

void expect(bool promise) {
  if (!promise) std::abort();
}

void fuzz_request(std::string_view bytes) {
  const devsock::Request request = devsock::parse_request(bytes);
  expect(!request.seq.empty() && devsock::parse_number<uint64_t>(request.seq).has_value());
  if (!request.problem.empty()) return;
  // What was understood is the whole message and nothing else: it can be put together again.
  std::vector<std::string> fields = {request.seq, request.verb};
  fields.insert(fields.end(), request.args.begin(), request.args.end());
  expect(devsock::join_fields(fields) == bytes);
  expect(devsock::is_utf8(bytes));
}

void fuzz_spec(std::string_view bytes) {
  auto spec = devsock::parse_spec(bytes);
  if (!spec) return expect(spec.error().number == EINVAL && !spec.error().message.empty());
  expect(!spec->id.empty() && !spec->args.empty() && spec->invocation.size() == 32);
  expect(spec->cwd.front() == '/' && spec->log.front() == '/');
  // No string may hold a NUL: execve() would cut it.
  for (const auto* list : {&spec->args, &spec->env}) {
    const auto is_whole = [](const std::string& each) { return each.find('\0') == std::string::npos; };
    expect(std::all_of(list->begin(), list->end(), is_whole));
  }
  expect(!spec->nofile || spec->nofile->rlim_cur <= spec->nofile->rlim_max);
}

void fuzz_address(std::string_view bytes) {
  auto address = devsock::parse_address(bytes);
  if (!address) return expect(address.error().number == EINVAL);
  expect(!address->print().empty());
  if (address->kind == devsock::Address::Kind::ip) expect(devsock::literal_address(address->host, 1).has_value());
  if (address->is_unix() && address->path.size() <= devsock::kMaxUnixPath) {
    expect(devsock::unix_address(address->path).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fuzz_request(bytes);
  fuzz_spec(bytes);
  fuzz_address(bytes);
  return 0;
}
