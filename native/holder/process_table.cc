#include "process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "text.h"

namespace devsock {

namespace {

UniqueFd open_of(pid_t pid, const char* file) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/%s", pid, file);
  return UniqueFd(::open(path.data(), O_RDONLY | O_CLOEXEC));
}

ssize_t read_some(int fd, char* buffer, size_t size) {
  ssize_t got;
  do {
    got = ::read(fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

/// struct pidfd_info of linux/pidfd.h, its first version; older headers have none.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  std::array<uint32_t, 11> ids;
  int32_t exit_code;
};
constexpr uint64_t kInfoExit = 1 << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

std::optional<Process> read_process(pid_t pid) {
  const UniqueFd fd = open_of(pid, "stat");
  std::array<char, 1024> buffer;
  const ssize_t size = fd ? read_some(fd.get(), buffer.data(), buffer.size()) : -1;
  if (size <= 0) return std::nullopt;
  std::string_view text(buffer.data(), static_cast<size_t>(size));
  // The command stands in parentheses and may hold any character, parentheses too.
  const size_t end = text.rfind(')');
  if (end == std::string_view::npos || end + 2 >= text.size()) return std::nullopt;
  text.remove_prefix(end + 2);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto fields = split(text, ' ');  // [0] is field 3 of the manual
  if (fields.size() < 50 || fields[0].empty()) return std::nullopt;
  return Process{pid,
                 fields[0][0],
                 parse_number<pid_t>(fields[1]).value_or(0),
                 parse_number<pid_t>(fields[2]).value_or(0),
                 parse_number<uint64_t>(fields[19]).value_or(0),
                 parse_number<int>(fields[49]).value_or(0)};
}

std::optional<std::vector<Process>> read_processes() {
  std::vector<Process> processes;
  const std::unique_ptr<DIR, CloseDir> proc(::opendir("/proc"));
  if (!proc) return std::nullopt;
  while (const dirent* entry = ::readdir(proc.get())) {
    const auto pid = parse_number<pid_t>(entry->d_name);
    if (!pid) continue;
    errno = 0;
    const auto process = read_process(*pid);
    if (process) processes.push_back(*process);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) return std::nullopt;
  }
  return processes;
}

std::optional<std::vector<pid_t>> read_children() {
  std::vector<pid_t> children;
  const UniqueFd fd(::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
  if (!fd) {
    // A kernel without CONFIG_PROC_CHILDREN.
    const pid_t self = ::getpid();
    const auto processes = read_processes();
    if (!processes) return std::nullopt;
    for (const Process& process : *processes) {
      if (process.parent == self) children.push_back(process.pid);
    }
    return children;
  }
  std::string text;
  std::array<char, 4096> block;
  for (ssize_t size; (size = read_some(fd.get(), block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<size_t>(size));
  }
  for (const std::string_view part : split(text, ' ')) {
    if (const auto pid = parse_number<pid_t>(part)) children.push_back(*pid);
  }
  return children;
}

bool has_invocation(pid_t pid, const std::string& invocation) {
  const UniqueFd fd = open_of(pid, "environ");
  if (!fd) return false;
  const std::string wanted = '\0' + ("DEVSOCK_INVOCATION=" + invocation) + '\0';
  // Each block is searched with the end of the one before it, as the variable may lie across both.
  std::string window(1, '\0');
  std::array<char, 16384> block;
  while (true) {
    const ssize_t size = read_some(fd.get(), block.data(), block.size());
    if (size <= 0) return false;
    window.append(block.data(), static_cast<size_t>(size));
    if (window.find(wanted) != std::string::npos) return true;
    if (window.size() > wanted.size()) window.erase(0, window.size() - wanted.size());
  }
}

UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

int send_signal(int pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
}

std::optional<int> exit_status(int pidfd, pid_t pid, uint64_t start) {
  // Linux 6.15 keeps it with the pidfd once the parent has taken it; until then it is in the table.
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (::ioctl(pidfd, kGetInfo, &info) == 0 && (info.mask & kInfoExit) != 0) return info.exit_code;
  const auto process = read_process(pid);
  if (process && process->start == start && process->state == 'Z') return process->exit_code;
  return std::nullopt;
}

}  // namespace devsock
