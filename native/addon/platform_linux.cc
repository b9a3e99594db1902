#include <fcntl.h>
#include <linux/falloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "platform.h"
#include "sock_diag.h"

namespace devsock {

namespace {

bool write_all(int fd, const uint8_t* data, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

UniqueFd open_socket(int family, int type) { return UniqueFd(::socket(family, type | SOCK_CLOEXEC, 0)); }

bool open_socket_pair(int type, UniqueFd& left, UniqueFd& right) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return false;
  left.reset(ends[0]);
  right.reset(ends[1]);
  return true;
}

UniqueFd accept_nonblocking(int fd) {
  return UniqueFd(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

PeerCredentials peer_credentials(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {.error = errno};
  return {.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

int queue_depth(int fd) {
  int family = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return -1;
  if (family == AF_UNIX) return unix_queue_depth(fd);

  // Of a listener, tcpi_unacked is its accept queue (tcp_get_info() in net/ipv4/tcp.c).
  tcp_info info{};
  size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return -1;
  if (info.tcpi_state != TCP_LISTEN) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(info.tcpi_unacked);
}

UniqueFd memory_file(const std::string& name, const uint8_t* data, size_t size) {
  UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || !write_all(fd.get(), data, size)) return {};
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return {};
  // The reader checks what it has read once: nothing may change between the check and the use.
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return {};
  return fd;
}

UniqueFd pidfd_open(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool pidfd_signal(int pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0;
}

bool punch_hole(int fd, off_t offset, off_t length) {
  int status;
  do {
    status = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
  } while (status != 0 && errno == EINTR);
  return status == 0;
}

UniqueFd file_events_open() { return UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); }

int file_events_add(int fd, const std::string& path) {
  // IN_CLOSE_WRITE and IN_MOVED_TO come when content is complete, IN_MODIFY before; IN_ATTRIB tells of times set later.
  constexpr uint32_t kMask = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                             IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK;
  return ::inotify_add_watch(fd, path.c_str(), kMask);
}

int tripwire_add(int fd, const std::string& path) {
  // IN_DELETE_SELF comes before rename(2) or unlink(2) returns, unless somebody has the file open or mapped: IN_ATTRIB
  // would come then too, but of every chmod(2).
  return ::inotify_add_watch(fd, path.c_str(), IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF);
}

void file_events_remove(int fd, int watch) { ::inotify_rm_watch(fd, watch); }

void file_events_read(int fd, std::vector<FileEvent>& events) {
  alignas(inotify_event) char buffer[64 * 1024];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  for (ssize_t at = 0; at < size;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    // The name is padded with NUL.
    events.push_back({event->wd, event->mask, event->len == 0 ? "" : event->name});
    at += static_cast<ssize_t>(sizeof *event + event->len);
  }
}

}  // namespace devsock
