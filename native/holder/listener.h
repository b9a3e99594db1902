#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "address.h"
#include "result.h"

namespace devsock {

/// How a TCP listener comes to its port.
enum class Claim {
  /// Alone: EADDRINUSE when anybody has the port on any address that ours covers, with SO_REUSEPORT or not.
  first,
  /// Beside the listeners of the same group.
  join,
};

/// A listening TCP socket. `address.port` is not 0 for `join`; where it is 0 the kernel picks one.
Result<UniqueFd> listen_tcp(const Address& address, int backlog, Claim claim);

/// A listening unix socket at `path`, made with `mode`. Replaces a socket there that nobody listens to.
Result<UniqueFd> listen_unix(const std::string& path, int backlog, mode_t mode);

/// As a fresh listener is: blocking, its backlog, connections reported at once; listening, for TCP also when a
/// program has shut it down.
Failed reset_listener(int fd, int backlog, bool tcp);

/// False once a program has shut it down.
bool is_listening(int fd);

/// Sends new connections of the group to the listener of slot `steered`. `order` is the kernel's order of the
/// group as slot numbers. A SYN with DSCP 4·n+3 goes to slot n (ARCHITECTURE.md, "Steering").
Failed attach_steering(int fd, const std::vector<uint32_t>& order, uint32_t steered);

}  // namespace devsock
