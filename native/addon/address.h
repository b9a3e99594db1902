#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>

namespace devsock {

/// A socket address of any family with its true length.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// These two answer 0 or an errno. `path` beginning with `@` is a name of Linux's abstract namespace (unix(7)).
int unix_address(const std::string& path, SocketAddress& address);
/// A literal IPv4 or IPv6 address; EINVAL for anything else, names too.
int ip_address(const std::string& host, uint16_t port, SocketAddress& address);

/// Literal address, or the path of a unix socket (abstract: with `@`; '' unnamed).
std::string host_of(const SocketAddress& address);
/// -1 for a unix socket.
int port_of(const SocketAddress& address);

}  // namespace devsock
