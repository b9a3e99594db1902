#include "listener.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace devsock {

namespace {

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// An unbound socket and the address for it.
struct Unbound {
  UniqueFd fd;
  SocketAddress address;
};

Result<Unbound> open_on(const Address& address, const char* host, bool dual_stack) {
  const auto literal = literal_address(host, address.port);
  if (!literal) return malformed("address: the host is not numeric");
  Unbound made{UniqueFd(::socket(literal->family(), SOCK_STREAM | SOCK_CLOEXEC, 0)), *literal};
  if (!made.fd) return failed("socket", address.print());
  if (literal->family() == AF_INET6 &&
      !set_option(made.fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1)) {
    return failed("setsockopt", address.print());
  }
  return made;
}

/// Both families where the machine has IPv6, IPv4 alone where it has not.
Result<Unbound> open_unbound(const Address& address) {
  if (address.kind == Address::Kind::ip) return open_on(address, address.host.c_str(), false);
  const bool loopback = address.kind == Address::Kind::loopback;
  auto both = open_on(address, "::", true);
  if (!both) {
    if (both.error().number != EAFNOSUPPORT) return both;
    return open_on(address, loopback ? "127.0.0.1" : "0.0.0.0", false);
  }
  if (!loopback || ::setsockopt(both->fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") == 0) return both;
  if (errno != EPERM) return failed("setsockopt", address.print());
  return open_on(address, "127.0.0.1", false);  // before Linux 5.7 it takes CAP_NET_RAW
}

/// A port that was free a moment ago. The real bind names it: a port that bind() itself picked would be given
/// back when a program shuts its listener down (no SOCK_BINDPORT_LOCK).
Result<uint16_t> pick_port(const Address& address) {
  auto made = open_unbound(address);
  if (!made) return made.error();
  if (::bind(made->fd.get(), made->address.get(), made->address.size) != 0) return failed("bind", address.print());
  const auto bound = local_address(made->fd.get());
  if (!bound) return failed("getsockname", address.print());
  return bound->port();
}

Result<UniqueFd> bind_tcp(const Address& address, int backlog, Claim claim) {
  auto made = open_unbound(address);
  if (!made) return made.error();
  const int fd = made->fd.get();
  // Past a connection in TIME_WAIT; a listener of somebody else is a conflict all the same.
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return failed("setsockopt", address.print());
  if (claim == Claim::join && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return failed("setsockopt", address.print());
  }
  if (::bind(fd, made->address.get(), made->address.size) != 0) return failed("bind", address.print());
  // After bind(), so that nobody's SO_REUSEPORT listener could be joined unnoticed; before listen(), which makes
  // the group.
  if (claim == Claim::first && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return failed("setsockopt", address.print());
  }
  if (::listen(fd, backlog) != 0) return failed("listen", address.print());
  return std::move(made->fd);
}

}  // namespace

Result<UniqueFd> listen_tcp(const Address& address, int backlog, Claim claim) {
  if (address.port != 0) return bind_tcp(address, backlog, claim);
  constexpr int attempts = 16;
  for (int attempt = 1;; attempt++) {
    Address picked = address;
    auto port = pick_port(address);
    if (!port) return port.error();
    picked.port = *port;
    auto listener = bind_tcp(picked, backlog, claim);
    if (listener || listener.error().number != EADDRINUSE || attempt == attempts) return listener;
  }
}

namespace {

/// Whether the path is a socket whose listener is gone.
bool is_abandoned(const std::string& path, const SocketAddress& address) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe && ::connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, int backlog, mode_t mode) {
  const auto address = unix_address(path);
  if (!address) return failed("bind", path, ENAMETOOLONG);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return failed("socket", path);
  // The mode is right from the first moment: chmod() afterwards would leave a gap.
  const mode_t before = ::umask(0777 & ~mode);
  int error = ::bind(fd.get(), address->get(), address->size) == 0 ? 0 : errno;
  if (error == EADDRINUSE && is_abandoned(path, *address)) {
    ::unlink(path.c_str());
    error = ::bind(fd.get(), address->get(), address->size) == 0 ? 0 : errno;
  }
  ::umask(before);
  if (error != 0) return failed("bind", path, error);
  if (::listen(fd.get(), backlog) != 0) return failed("listen", path);
  return fd;
}

Failed reset_listener(int fd, int backlog, bool tcp) {
  if (::fcntl(fd, F_SETFL, 0) != 0) return failed("fcntl", "slot");
  if (tcp && !set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0)) return failed("setsockopt", "slot");
  if (tcp) {
    // What the preload library copies from a program's socket, and notes of it (native/adopt): connections have it
    // from their listener. The last is not there for an AF_INET socket.
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 0);
    set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 1);
  }
  if (::listen(fd, backlog) != 0) return failed("listen", "slot");
  return std::nullopt;
}

bool is_listening(int fd) {
  // Not SO_ACCEPTCONN: a unix listener keeps that when it is shut down.
  pollfd state{fd, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) >= 0 && (state.revents & (POLLHUP | POLLRDHUP)) == 0;
}

Failed attach_steering(int fd, const std::vector<uint32_t>& order, uint32_t steered) {
  const auto position = [&](uint32_t slot) {
    return static_cast<uint32_t>(std::find(order.begin(), order.end(), slot) - order.begin());
  };
  // The first two bytes of the IP header: version 4, then (IPv4) header length 4 and TOS 8, or (IPv6) traffic
  // class 8 and 4 bits of the flow label. The DSCP is the upper six bits of TOS or class (RFC 2474).
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, static_cast<uint32_t>(SKF_NET_OFF)),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 3),
      BPF_STMT(BPF_MISC | BPF_TXA, 0),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_MISC | BPF_TXA, 0),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
  };
  for (uint32_t at = 0; at < order.size(); at++) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4 * order[at] + 3, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, at));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, position(steered)));
  const sock_fprog code{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &code, sizeof code) != 0) {
    return failed("setsockopt", "SO_ATTACH_REUSEPORT_CBPF");
  }
  return std::nullopt;
}

}  // namespace devsock
