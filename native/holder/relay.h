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
    bool connected = false;
    bool over = false;
  };

  void pump(Relay& relay);
  static bool move(Direction& direction, int from, int to);
  void end(Relay& relay);

  Loop& loop_;
  std::list<Relay> relays_;
};

}  // namespace devsock
