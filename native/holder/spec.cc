#include "spec.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "../common/seqpacket.h"
#include "text.h"

namespace devsock {

namespace {

// execve(2) itself takes no more than 6 MiB of arguments and environment.
constexpr off_t kMaxBytes = 8 * 1024 * 1024;

bool is_invocation(std::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<rlimit> parse_limit(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const auto soft = parse_number<rlim_t>(parts[0]);
  const auto hard = parse_number<rlim_t>(parts[1]);
  if (!soft || !hard || *soft > *hard) return std::nullopt;
  return rlimit{*soft, *hard};
}

/// What is wrong with one field; empty when nothing is.
std::string take_field(Spec& spec, std::string_view tag, std::string_view value) {
  if (tag == "id") {
    spec.id = value;
  } else if (tag == "invocation") {
    if (!is_invocation(value)) return "invocation: not 32 hexadecimal digits";
    spec.invocation = value;
  } else if (tag == "cwd") {
    spec.cwd = value;
  } else if (tag == "log") {
    spec.log = value;
  } else if (tag == "nofile") {
    spec.nofile = parse_limit(value);
    if (!spec.nofile) return "nofile: not SOFT:HARD";
  } else if (tag == "umask") {
    spec.umask = parse_number<mode_t>(value, 8);
    if (!spec.umask || *spec.umask > 0777) return "umask: not an octal mode";
  } else if (tag == "arg") {
    spec.args.emplace_back(value);
  } else if (tag == "env") {
    if (value.find('=') == std::string_view::npos || value.starts_with('=')) return "env: not NAME=VALUE";
    spec.env.emplace_back(value);
  } else if (tag == "slot") {
    const auto slot = parse_slot(value);
    if (!slot) return "slot: not INDEX FDNAME NAME";
    if (spec.slots.size() == kMaxDescriptors) return "slot: too many";
    spec.slots.push_back(*slot);
  } else if (tag == "standby") {
    spec.standby = true;
  } else {
    return "unknown tag " + std::string(tag.substr(0, 32));
  }
  return {};
}

}  // namespace

std::optional<SpecSlot> parse_slot(std::string_view text) {
  const size_t first = text.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = text.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view number = text.substr(0, first);
  const size_t colon = std::min(number.find(':'), first);
  const auto index = parse_number<uint32_t>(number.substr(0, colon));
  const auto binds = colon == first ? uint16_t{0} : parse_number<uint16_t>(number.substr(colon + 1));
  const std::string_view fd_name = text.substr(first + 1, second - first - 1);
  const std::string_view socket = text.substr(second + 1);
  // LISTEN_FDNAMES separates names by colons (sd_listen_fds_with_names(3)).
  if (!index || !binds || fd_name.empty() || socket.empty() || fd_name.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  return SpecSlot{*index, std::string(fd_name), std::string(socket), *binds};
}

std::string print(const SpecSlot& slot) {
  const std::string binds = slot.binds == 0 ? std::string() : ':' + std::to_string(slot.binds);
  return std::to_string(slot.index) + binds + ' ' + slot.fd_name + ' ' + slot.socket;
}

Result<Spec> parse_spec(std::string_view bytes) {
  Spec spec;
  if (!bytes.empty() && bytes.back() != '\0') return malformed("spec: its last field does not end");
  while (!bytes.empty()) {
    const size_t end = bytes.find('\0');
    const std::string_view field = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    const size_t equals = field.find('=');
    if (equals == std::string_view::npos) return malformed("spec: a field without =");
    const std::string problem = take_field(spec, field.substr(0, equals), field.substr(equals + 1));
    if (!problem.empty()) return malformed("spec: " + problem);
  }
  if (spec.id.empty()) return malformed("spec: no id");
  if (!is_utf8(spec.id)) return malformed("spec: id is not UTF-8");
  if (spec.invocation.empty()) return malformed("spec: no invocation");
  if (!spec.cwd.starts_with('/')) return malformed("spec: cwd is not an absolute path");
  if (!spec.log.starts_with('/')) return malformed("spec: log is not an absolute path");
  if (spec.args.empty() || spec.args.front().empty()) return malformed("spec: no command");
  return spec;
}

Result<Spec> read_spec(int fd) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return failed("fstat", "spec");
  // Reading anything else could wait for ever.
  if (!S_ISREG(info.st_mode)) return malformed("spec: not a file");
  if (info.st_size > kMaxBytes) return malformed("spec: longer than 8 MiB");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t size = ::pread(fd, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("pread", "spec");
    if (size == 0) return malformed("spec: became shorter while it was read");
    filled += static_cast<size_t>(size);
  }
  return parse_spec(bytes);
}

}  // namespace devsock
