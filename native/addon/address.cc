#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace devsock {

int unix_address(const std::string& path, SocketAddress& address) {
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
  const bool abstract = path.starts_with('@');
  if (path.empty() || path.find('\0') != std::string::npos) return EINVAL;
  // A path needs its NUL (unix(7), BUGS); cut silently it would name another file.
  if (path.size() + (abstract ? 0 : 1) > sizeof un.sun_path) return ENAMETOOLONG;
  un.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), un.sun_path);
  if (abstract) un.sun_path[0] = '\0';
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return 0;
}

int ip_address(const std::string& host, uint16_t port, SocketAddress& address) {
  auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    address.size = sizeof in;
    return 0;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    address.size = sizeof in6;
    return 0;
  }
  return EINVAL;
}

std::string host_of(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr, text, sizeof text);
    return text;
  }
  if (address.storage.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr, text, sizeof text);
    return text;
  }
  const auto& un = reinterpret_cast<const sockaddr_un&>(address.storage);
  const size_t offset = offsetof(sockaddr_un, sun_path);
  if (address.size <= offset) return "";
  const size_t size = std::min<size_t>(address.size - offset, sizeof un.sun_path);
  if (un.sun_path[0] == '\0') return size > 1 ? "@" + std::string(un.sun_path + 1, size - 1) : "";
  return std::string(un.sun_path, ::strnlen(un.sun_path, size));
}

int port_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  }
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
  }
  return -1;
}

}  // namespace devsock
