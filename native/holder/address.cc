#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstddef>
#include <cstring>

#include "text.h"

namespace devsock {

Result<Address> parse_address(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return malformed("address: no kind");
  const std::string_view kind = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  if (kind == "unix") {
    if (!rest.starts_with('/')) return malformed("address: not an absolute path");
    if (rest.find('\0') != std::string_view::npos) return malformed("address: a NUL in the path");
    return Address{Address::Kind::unix_path, {}, 0, std::string(rest)};
  }
  Address address{Address::Kind::loopback, {}, 0, {}};
  if (kind == "ip") {
    address.kind = Address::Kind::ip;
    const size_t end = rest.rfind(':');
    if (end == std::string_view::npos) return malformed("address: no port");
    std::string_view host = rest.substr(0, end);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    address.host = host;
    rest.remove_prefix(end + 1);
    if (!literal_address(address.host, 0)) return malformed("address: the host is not numeric");
  } else if (kind == "wildcard") {
    address.kind = Address::Kind::wildcard;
  } else if (kind != "loopback") {
    return malformed("address: unknown kind");
  }
  const auto port = parse_number<uint16_t>(rest);
  if (!port) return malformed("address: the port is not a number from 0 to 65535");
  address.port = *port;
  return address;
}

std::string Address::print() const {
  switch (kind) {
    case Kind::unix_path:
      return path;
    case Kind::loopback:
      return "localhost:" + std::to_string(port);
    case Kind::wildcard:
      return "*:" + std::to_string(port);
    case Kind::ip:
      break;
  }
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return 0;
}

std::optional<SocketAddress> literal_address(const std::string& host, uint16_t port) {
  if (host.find('\0') != std::string::npos) return std::nullopt;
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  const size_t zone = host.find('%');
  if (::inet_pton(AF_INET6, host.substr(0, zone).c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  if (zone != std::string::npos) {
    v6->sin6_scope_id = ::if_nametoindex(host.c_str() + zone + 1);
    if (v6->sin6_scope_id == 0) return std::nullopt;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  address.size = sizeof *v6;
  return address;
}

std::optional<SocketAddress> unix_address(const std::string& path) {
  if (path.empty() || path.size() > kMaxUnixPath || path.find('\0') != std::string::npos) return std::nullopt;
  SocketAddress address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.c_str(), path.size() + 1);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

std::optional<SocketAddress> connectable(const Address& address) {
  if (address.is_unix()) return unix_address(address.path);
  return literal_address(address.kind == Address::Kind::ip ? address.host : "127.0.0.1", address.port);
}

std::optional<SocketAddress> local_address(int socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(socket, address.get(), &address.size) != 0) return std::nullopt;
  return address;
}

bool same_end(const SocketAddress& a, const SocketAddress& b) {
  const auto ip = [](const SocketAddress& address) -> std::optional<in6_addr> {
    if (address.family() == AF_INET6) return reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
    if (address.family() != AF_INET) return std::nullopt;
    in6_addr mapped{};
    mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
    std::memcpy(&mapped.s6_addr[12], &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, 4);
    return mapped;
  };
  if (a.port() != b.port()) return false;
  const auto left = ip(a);
  const auto right = ip(b);
  return left && right && IN6_ARE_ADDR_EQUAL(&*left, &*right);
}

}  // namespace devsock
