#include "bind_notifications.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "process_table.h"
#include "text.h"

namespace devsock {

namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "which AUDIT_ARCH is this?"
#endif

// Linux 5.19; older headers do not know it.
constexpr unsigned kWaitKillable = 1u << 5;
// SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6: who asks does nothing until it is
// answered, so the holder may have its processor meanwhile.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, uint64_t);
constexpr uint64_t kSyncWakeUp = 1;

/// What the kernel writes and reads may be longer than these headers know (SECCOMP_GET_NOTIF_SIZES).
template <class T>
union Roomy {
  T value;
  std::array<char, 512> room{};
};

/// A file of /proc, its first 4 KiB.
std::string read_start(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> block;
  const ssize_t size = fd ? ::read(fd.get(), block.data(), block.size()) : -1;
  return size < 0 ? std::string() : std::string(block.data(), static_cast<size_t>(size));
}

/// The number in the line `NAME:\tNUMBER`.
std::optional<unsigned> number_of(std::string_view text, std::string_view name, int base) {
  for (std::string_view line : split(text, '\n')) {
    if (!line.starts_with(name)) continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t", name.size()), line.size()));
    return parse_number<unsigned>(line, base);
  }
  return std::nullopt;
}

/// The address that a bind() was called with, where it is one of TCP.
std::optional<sockaddr_in6> read_address(pid_t thread, uint64_t at, uint64_t size) {
  sockaddr_in6 address{};
  const size_t wanted = std::min(static_cast<size_t>(size), sizeof address);
  // The kernel refuses a longer one (and so a negative size), whatever is in it.
  if (wanted < sizeof(sockaddr_in) || size > sizeof(sockaddr_storage)) return std::nullopt;
  const iovec local{&address, wanted};
  const iovec remote{reinterpret_cast<void*>(at), wanted};
  if (::process_vm_readv(thread, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(wanted)) return std::nullopt;
  const bool whole = address.sin6_family == AF_INET ||
                     (address.sin6_family == AF_INET6 && wanted >= offsetof(sockaddr_in6, sin6_scope_id));
  return whole ? std::optional(address) : std::nullopt;
}

bool is_loopback(const sockaddr_in6& address) {
  if (address.sin6_family == AF_INET6) {
    const in6_addr& host = address.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&host) || (IN6_IS_ADDR_V4MAPPED(&host) && host.s6_addr[12] == IN_LOOPBACKNET);
  }
  return ntohl(reinterpret_cast<const sockaddr_in*>(&address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

/// Of the socket that a thread has under this number, if that can be had.
UniqueFd duplicate_of(pid_t pid, int fd) {
  const UniqueFd pidfd = open_pidfd(pid);
  return UniqueFd(pidfd ? static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)) : -1);
}

bool is_same(int one, int other) {
  struct stat first, second;
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_ino == second.st_ino;
}

std::optional<BindNotifications::Bind> understand(const seccomp_notif& call) {
  const auto thread = static_cast<pid_t>(call.pid);
  const auto fd = static_cast<int>(call.data.args[0]);
  const auto address = read_address(thread, call.data.args[1], static_cast<uint32_t>(call.data.args[2]));
  if (!address || address->sin6_port == 0) return std::nullopt;
  const std::string folder = "/proc/" + std::to_string(thread);
  const auto pid = number_of(read_start(folder + "/status"), "Tgid:", 10);
  const auto flags = number_of(read_start(folder + "/fdinfo/" + std::to_string(fd)), "flags:", 8);
  if (!pid || !flags) return std::nullopt;
  UniqueFd socket = duplicate_of(static_cast<pid_t>(*pid), fd);
  // Its domain is not asked for: an AF_INET6 socket may be told an AF_INET address. Nor is its protocol: Go makes
  // listeners of MPTCP, which take plain TCP as well.
  if (!socket || option_of(socket.get(), SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return std::nullopt;
  return BindNotifications::Bind{call.id,
                                 static_cast<pid_t>(*pid),
                                 fd,
                                 ntohs(address->sin6_port),
                                 is_loopback(*address),
                                 static_cast<int>(*flags),
                                 std::move(socket)};
}

}  // namespace

int notify_binds() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog code{std::size(program), program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  // Killable: Go's preemption signals would otherwise interrupt a bind() that has been received.
  for (const unsigned more : {kWaitKillable, 0u}) {
    const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | more;
    const long fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &code);
    if (fd >= 0 || errno != EINVAL) return static_cast<int>(fd);
  }
  return -1;
}

bool BindNotifications::is(int fd) {
  std::array<char, 64> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  return size > 0 && std::string_view(target.data(), static_cast<size_t>(size)) == "anon_inode:seccomp notify";
}

Failed BindNotifications::watch(Loop& loop, Asked asked) {
  if (!fd_) return std::nullopt;
  const auto callback = [this, asked = std::move(asked)](uint32_t events) {
    if ((events & EPOLLIN) != 0) return receive(asked);
    // Nobody who has the filter is left.
    watch_.close();
    fd_.reset();
  };
  if (!watch_.open(loop, fd_.get(), EPOLLIN, callback)) return failed("epoll_ctl", "seccomp");
  // EINVAL: an older kernel, where it takes a little longer.
  (void)::ioctl(fd_.get(), kSetFlags, kSyncWakeUp);
  return std::nullopt;
}

/// One: the next has the loop report again. It does not wait: there is one (EPOLLIN), and nobody else who takes it.
void BindNotifications::receive(const Asked& asked) {
  Roomy<seccomp_notif> call;
  // ENOENT: its process was killed in between.
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
  const auto bind = understand(call.value);
  // What was read may be another process's, under the same pid, if the call is over by now.
  if (!is_waiting(call.value.id)) return;
  if (!bind) return go_on(call.value.id);
  asked(*bind);
}

bool BindNotifications::is_waiting(uint64_t id) const {
  return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void BindNotifications::go_on(uint64_t id) {
  Roomy<seccomp_notif_resp> answer;
  answer.value.id = id;
  answer.value.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  // ENOENT: nobody waits for it any more.
  (void)::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

bool BindNotifications::give(const Bind& bind, int listener) {
  // Bound already: the kernel says what a second bind() is.
  if (is_same(bind.socket.get(), listener)) return false;
  // Options that connections have from their listener, as native/adopt does it.
  constexpr std::array<std::array<int, 2>, 2> options = {{{SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_NODELAY}}};
  for (const auto& [level, name] : options) {
    const int value = option_of(bind.socket.get(), level, name);
    if (value >= 0) ::setsockopt(listener, level, name, &value, sizeof value);
  }
  if (::fcntl(listener, F_SETFL, bind.flags & O_NONBLOCK) != 0) return false;
  seccomp_notif_addfd add{};
  add.id = bind.id;
  add.flags = SECCOMP_ADDFD_FLAG_SETFD;
  add.srcfd = static_cast<uint32_t>(listener);
  add.newfd = static_cast<uint32_t>(bind.fd);
  add.newfd_flags = static_cast<uint32_t>(bind.flags & O_CLOEXEC);
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0) return false;
  Roomy<seccomp_notif_resp> answer;
  answer.value.id = bind.id;
  // ENOENT: killed meanwhile. Its descriptor went with it.
  (void)::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
  return true;
}

bool is_narrowed(int listener, const BindNotifications::Bind& bind) {
  if (bind.loopback) return false;
  char device[IFNAMSIZ] = "";
  socklen_t size = sizeof device;
  if (::getsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, device, &size) == 0 && device[0] != '\0') return true;
  sockaddr_in6 local{};
  size = sizeof local;
  return ::getsockname(listener, reinterpret_cast<sockaddr*>(&local), &size) == 0 && is_loopback(local);
}

}  // namespace devsock
