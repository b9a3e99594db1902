#include "request.h"

#include <algorithm>

#include "../common/seqpacket.h"
#include "text.h"

namespace devsock {

namespace {

// A JavaScript safe integer has at most 16 digits.
constexpr size_t kMaxSeq = 16;
// No verb has more: adopt names every slot of a generation. A message of NULs alone would make 64 Ki of them.
constexpr size_t kMaxFields = 7 + kMaxDescriptors;

bool is_seq(std::string_view text) {
  return !text.empty() && text.size() <= kMaxSeq &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Request parse_request(std::string_view message) {
  Request request;
  const std::string_view seq = message.substr(0, message.find('\0'));
  if (!is_seq(seq)) {
    request.problem = "a request begins with its number";
    return request;
  }
  request.seq = seq;
  if (!is_utf8(message)) {
    request.problem = "not UTF-8";
    return request;
  }
  if (static_cast<size_t>(std::count(message.begin(), message.end(), '\0')) >= kMaxFields) {
    request.problem = "too many fields";
    return request;
  }
  const std::vector<std::string_view> fields = split(message, '\0');
  if (fields.size() < 2 || fields[1].empty()) {
    request.problem = "no verb";
    return request;
  }
  request.verb = fields[1];
  request.args.assign(fields.begin() + 2, fields.end());
  return request;
}

std::string join_fields(const std::vector<std::string>& fields) {
  std::string message;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) message += '\0';
    message += field;
  }
  return message;
}

}  // namespace devsock
