#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "result.h"

namespace devsock {

/// Longest path of a unix socket: sun_path without its NUL.
inline constexpr size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;

/// Where a socket listens, as the protocol writes it.
struct Address {
  enum class Kind { loopback, ip, wildcard, unix_path };
  Kind kind;
  /// Literal, without brackets; for `ip`.
  std::string host;
  /// 0: the kernel picks one.
  uint16_t port = 0;
  /// For `unix`.
  std::string path;

  [[nodiscard]] bool is_unix() const { return kind == Kind::unix_path; }
  /// For people: `localhost:3000`, `*:3000`, `[::1]:3000`, `/path`.
  [[nodiscard]] std::string print() const;
};

/// `loopback:PORT`, `ip:HOST:PORT`, `wildcard:PORT`, `unix:PATH`. Takes any bytes.
Result<Address> parse_address(std::string_view text);

/// A sockaddr of whatever family.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
  /// 0 where the family has none.
  [[nodiscard]] uint16_t port() const;
};

/// A numeric IPv4 or IPv6 address, an IPv6 one with its zone (`fe80::1%eth0`) where it has one.
std::optional<SocketAddress> literal_address(const std::string& host, uint16_t port);
/// Nothing for a path that is too long or has a NUL.
std::optional<SocketAddress> unix_address(const std::string& path);
/// Where that address is connected to from this machine; with a port, for what has one.
std::optional<SocketAddress> connectable(const Address& address);
/// The local address of a socket.
std::optional<SocketAddress> local_address(int socket);
/// Whether both are the same end of a TCP connection: a v4-mapped address is the IPv4 one.
bool same_end(const SocketAddress& a, const SocketAddress& b);

}  // namespace devsock
