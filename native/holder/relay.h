#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "../common/unique_fd.h"
#include "address.h"
#include "loop.h"
#include "result.h"

namespace devsock {

/// Carries the connections that a generation left in its slot to the slot that is served: the kernel cannot move
/// them.
class Relays {
 public:
  explicit Relays(Loop& loop) : loop_(loop) {}

  /// Accepts what waits at `listener` and connects each to `target`, the address of the same socket. The number of
  /// connections.
  Result<size_t> take(int listener, const SocketAddress& target);
  /// One connection. False where it could not be begun: then it is closed.
  bool carry(UniqueFd client, const SocketAddress& target);

 private:
  /// Bytes read from one end that the other has not taken yet.
  struct Direction {
    std::vector<char> buffer;
    size_t begin = 0;
    /// Bytes that were passed on.
    size_t sent = 0;
    bool ended = false;
    bool closed = false;
  };
  struct Relay {
    UniqueFd client;
    UniqueFd server;
    Watch client_watch;
    Watch server_watch;
    Direction request;
    Direction response;
    /// The address of `server` on this side.
    SocketAddress from;
    bool connected = false;
    bool over = false;
  };

  /// Connects `relay` to `target`. False where it cannot be begun.
  bool lead(Relay& relay, const SocketAddress& target);
  /// Where `accepted` is the other end of a relay that no program has had, that one is led to `target` instead: a
  /// connection that waits through the ends of many generations stays one relay. False where it is not, or where
  /// what was sent into it cannot be had back.
  bool redirect(const UniqueFd& accepted, const SocketAddress& peer, const SocketAddress& target);
  void pump(Relay& relay);
  static bool move(Direction& direction, int from, int to);
  void end(Relay& relay);

  Loop& loop_;
  std::list<Relay> relays_;
};

}  // namespace devsock
