#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace devsock {

/// One message of the holder's protocol (ARCHITECTURE.md), taken apart but not yet understood.
struct Request {
  /// As the client wrote it; `0` where none could be read.
  std::string seq = "0";
  std::string verb;
  std::vector<std::string> args;
  /// Why it cannot be understood (or carried out: EMFILE); empty when it can.
  std::string problem;
  int problem_number = EINVAL;
};

/// Takes any bytes.
Request parse_request(std::string_view message);

/// The opposite: fields with NUL between them.
std::string join_fields(const std::vector<std::string>& fields);

}  // namespace devsock
