#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>

#include "platform.h"

namespace devsock {

namespace {

using Folder = std::unique_ptr<DIR, decltype([](DIR* each) { ::closedir(each); })>;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  return error == std::errc() && end == text.end() ? std::optional(number) : std::nullopt;
}

/// Whether the last call failed because no descriptor is free: then nothing is known, rather than nobody found.
bool is_short() { return errno == EMFILE || errno == ENFILE; }

struct Seen {
  pid_t pid, group;
};

/// The number that was given last in this namespace (proc_loadavg(5)): those above it were given before the numbers
/// began again (kernel.pid_max, 32768 on small machines). The greatest where it cannot be read.
pid_t newest_pid() {
  const UniqueFd file(::open("/proc/loadavg", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text;
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : 0;
  std::string_view line(text.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
  if (line.ends_with('\n')) line.remove_suffix(1);
  return number_of<pid_t>(line.substr(line.rfind(' ') + 1)).value_or(std::numeric_limits<pid_t>::max());
}

/// Generations first, then the newest: a client that waits has mostly just begun.
int list_processes(const std::vector<pid_t>& groups, std::vector<Seen>& processes) {
  const Folder proc(::opendir("/proc"));
  if (!proc) return errno;
  while (const dirent* entry = ::readdir(proc.get())) {
    if (const auto pid = number_of<pid_t>(entry->d_name)) processes.push_back({*pid, ::getpgid(*pid)});
  }
  const pid_t newest = newest_pid();
  const auto rank = [&](const Seen& each) {
    const bool is_asked_for = std::find(groups.begin(), groups.end(), each.group) != groups.end();
    return std::tuple(is_asked_for, each.pid <= newest, each.pid);
  };
  std::sort(processes.begin(), processes.end(), [&](const Seen& a, const Seen& b) { return rank(a) > rank(b); });
  return 0;
}

/// It is in no group and has no file. (Nor is a process in one whose group began outside of this container.)
bool is_kernel_thread(const Seen& process) {
  const std::string exe = "/proc/" + std::to_string(process.pid) + "/exe";
  char byte;
  return process.group == 0 && ::readlink(exe.c_str(), &byte, 1) < 0 && errno == ENOENT;
}

/// Moves those of `inodes` that the process has open to `owners`. A process that has gone, or may not be looked at,
/// has none.
int look_through(const Seen& process, std::vector<uint32_t>& inodes, std::vector<SocketOwner>& owners) {
  const std::string path = "/proc/" + std::to_string(process.pid) + "/fd";
  const Folder folder(::opendir(path.c_str()));
  if (!folder) return is_short() ? errno : 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    std::array<char, 64> text;
    const ssize_t size = ::readlinkat(::dirfd(folder.get()), entry->d_name, text.data(), text.size());
    // Of one that may not be dumped, none may be read.
    if (size < 0 && errno == EACCES) break;
    std::string_view target(text.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
    constexpr std::string_view kBefore = "socket:[";
    if (!target.starts_with(kBefore) || !target.ends_with(']')) continue;
    target = target.substr(kBefore.size(), target.size() - kBefore.size() - 1);
    const auto found = std::find(inodes.begin(), inodes.end(), number_of<uint32_t>(target));
    if (found == inodes.end()) continue;
    owners.push_back({*found, process.pid, process.group});
    inodes.erase(found);
  }
  return 0;
}

}  // namespace

int socket_owners(std::vector<uint32_t> inodes, const std::vector<pid_t>& groups, std::vector<SocketOwner>& owners) {
  std::vector<Seen> processes;
  if (const int error = inodes.empty() ? 0 : list_processes(groups, processes)) return error;
  for (const Seen& process : processes) {
    if (inodes.empty()) return 0;
    if (is_kernel_thread(process)) continue;
    if (const int error = look_through(process, inodes, owners)) return error;
  }
  return 0;
}

}  // namespace devsock
