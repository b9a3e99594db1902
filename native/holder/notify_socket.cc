#include "notify_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/seqpacket.h"
#include "address.h"
#include "text.h"

namespace devsock {

namespace {

// As systemd: a longer message is no message.
constexpr size_t kMaxPayload = 4096;
// A program that never stops sending must not keep the loop from the others.
constexpr int kMessagesATurn = 32;

Failed pass_credentials(int fd) {
  const int yes = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0) return failed("setsockopt", "notify");
  return std::nullopt;
}

}  // namespace

Result<NotifySocket> NotifySocket::bind(const std::string& folder) {
  NotifySocket socket;
  socket.fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.fd_) return failed("socket", "notify");
  if (auto error = pass_credentials(socket.fd_.get())) return *error;
  for (unsigned number = 1;; number++) {
    socket.path_ = folder + '/' + std::to_string(number);
    const auto address = unix_address(socket.path_);
    if (!address) return failed("bind", socket.path_, ENAMETOOLONG);
    if (::bind(socket.fd_.get(), address->get(), address->size) == 0) return socket;
    if (errno != EADDRINUSE) return failed("bind", socket.path_);
  }
}

Result<NotifySocket> NotifySocket::store(UniqueFd fd) {
  NotifySocket socket;
  const auto local = local_address(fd.get());
  int type = 0;
  socklen_t size = sizeof type;
  if (!local || local->family() != AF_UNIX || ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      type != SOCK_DGRAM) {
    return malformed("adopt: the descriptor is not a notify socket");
  }
  socket.path_ = reinterpret_cast<const sockaddr_un*>(&local->storage)->sun_path;
  socket.fd_ = std::move(fd);
  if (auto error = pass_credentials(socket.fd_.get())) return *error;
  return socket;
}

Failed NotifySocket::watch(Loop& loop, Received received) {
  if (!fd_) return std::nullopt;
  const auto callback = [this, received = std::move(received)](uint32_t) { receive(received); };
  if (!watch_.open(loop, fd_.get(), EPOLLIN, callback)) return failed("epoll_ctl", "notify");
  return std::nullopt;
}

void NotifySocket::receive(const Received& received) {
  std::vector<uint8_t> buffer(kMaxPayload);
  for (int turn = 0; turn < kMessagesATurn && fd_; turn++) {
    // Descriptors are closed at once: nothing is stored here, and for BARRIER=1 the closing is the answer
    // (sd_notify_barrier(3)).
    std::vector<UniqueFd> fds;
    const ReceiveResult message = receive_message(fd_.get(), buffer, fds);
    if (message.error != 0) return;
    const std::string payload(reinterpret_cast<const char*>(buffer.data()), message.size);
    if (message.truncated || !message.has_sender || message.sender.uid != ::geteuid()) continue;
    if (payload.find('\0') != std::string::npos || !is_utf8(payload)) continue;
    received(message.sender.pid, payload);
  }
}

void NotifySocket::remove() {
  watch_.close();
  if (fd_ && !path_.empty()) ::unlink(path_.c_str());
  fd_.reset();
}

}  // namespace devsock
