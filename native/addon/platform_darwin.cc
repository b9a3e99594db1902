// Never run: devsock is tested on Linux. What is portable is here, the rest answers ENOSYS.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/ucred.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "platform.h"

namespace devsock {

namespace {

// No SOCK_CLOEXEC here: a fork in another thread in between inherits it.
bool close_on_exec(int fd) { return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0; }

}  // namespace

UniqueFd open_socket(int family, int type) {
  UniqueFd fd(::socket(family, type, 0));
  if (fd && !close_on_exec(fd.get())) return {};
  return fd;
}

bool open_socket_pair(int type, UniqueFd& left, UniqueFd& right) {
  int ends[2];
  if (::socketpair(AF_UNIX, type, 0, ends) != 0) return false;
  left.reset(ends[0]);
  right.reset(ends[1]);
  return close_on_exec(left.get()) && close_on_exec(right.get());
}

UniqueFd accept_nonblocking(int listener) {
  UniqueFd fd(::accept(listener, nullptr, nullptr));
  if (!fd) return fd;
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0 || !close_on_exec(fd.get())) return {};
  return fd;
}

PeerCredentials peer_credentials(int fd) {
  PeerCredentials peer;
  socklen_t size = sizeof peer.pid;
  if (::getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &peer.pid, &size) != 0) return {.error = errno};
  if (::getpeereid(fd, &peer.uid, &peer.gid) != 0) return {.error = errno};
  return peer;
}

int queue_depth(int) {
  errno = ENOSYS;
  return -1;
}

UniqueFd memory_file(const std::string&, const uint8_t*, size_t) {
  errno = ENOSYS;
  return {};
}

UniqueFd pidfd_open(pid_t) {
  errno = ENOSYS;
  return {};
}

bool pidfd_signal(int, int) {
  errno = ENOSYS;
  return false;
}

bool punch_hole(int, off_t, off_t) {
  errno = ENOSYS;
  return false;
}

UniqueFd file_events_open() {
  errno = ENOSYS;
  return {};
}

int file_events_add(int, const std::string&) {
  errno = ENOSYS;
  return -1;
}

int tripwire_add(int, const std::string&) {
  errno = ENOSYS;
  return -1;
}

void file_events_remove(int, int) {}
void file_events_read(int, std::vector<FileEvent>&) {}

int list_connections(uint32_t, uint16_t, std::vector<ConnectionRow>&) { return ENOSYS; }

int socket_owners(std::vector<uint32_t>, const std::vector<pid_t>&, std::vector<SocketOwner>&) { return ENOSYS; }

}  // namespace devsock
