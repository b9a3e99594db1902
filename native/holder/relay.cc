#include "relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace devsock {

namespace {

constexpr size_t kBuffer = 64 * 1024;
// As many connections as a backlog holds; a client that connects again and again must not keep this going.
constexpr size_t kMaxTaken = 4096;

bool has_waiting(int listener) {
  pollfd state{listener, POLLIN, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & POLLIN) != 0;
}

}  // namespace

Result<size_t> Relays::take(int listener, const SocketAddress& target) {
  const int flags = ::fcntl(listener, F_GETFL);
  if (flags < 0) return failed("fcntl", "slot");
  size_t count = 0;
  while (count < kMaxTaken && has_waiting(listener)) {
    // Only for this call, and only when something waits: the description may be shared with a program that expects
    // accept() to wait.
    ::fcntl(listener, F_SETFL, flags | O_NONBLOCK);
    UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int error = errno;
    ::fcntl(listener, F_SETFL, flags);
    if (!client && (error == EAGAIN || error == ECONNABORTED || error == EINTR)) continue;
    if (!client) return failed("accept4", "slot", error);
    if (carry(std::move(client), target)) count++;
  }
  return count;
}

bool Relays::carry(UniqueFd client, const SocketAddress& target) {
  UniqueFd server(::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!server) return false;
  if (::connect(server.get(), target.get(), target.size) != 0 && errno != EINPROGRESS) return false;
  Relay& relay = relays_.emplace_back();
  relay.client = std::move(client);
  relay.server = std::move(server);
  const auto on_client = [this, &relay](uint32_t) { pump(relay); };
  const auto on_server = [this, &relay](uint32_t events) {
    // An error says how the connection attempt ended; reading and writing would say it too.
    if ((events & EPOLLOUT) != 0) relay.connected = true;
    pump(relay);
  };
  // Edge-triggered: each event moves all that can be moved in both directions.
  constexpr uint32_t interest = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (relay.client_watch.open(loop_, relay.client.get(), interest, on_client) &&
      relay.server_watch.open(loop_, relay.server.get(), interest, on_server)) {
    return true;
  }
  relays_.pop_back();
  return false;
}

void Relays::pump(Relay& relay) {
  if (!relay.connected || relay.over) return;
  if (!move(relay.request, relay.client.get(), relay.server.get()) ||
      !move(relay.response, relay.server.get(), relay.client.get()) ||
      (relay.request.closed && relay.response.closed)) {
    end(relay);
  }
}

/// Until one side has to be waited for. False when the relay cannot go on.
bool Relays::move(Direction& direction, int from, int to) {
  while (!direction.closed) {
    if (direction.begin == direction.buffer.size()) {
      if (direction.ended) {
        ::shutdown(to, SHUT_WR);
        direction.closed = true;
        direction.buffer = {};
        return true;
      }
      direction.buffer.resize(kBuffer);
      direction.begin = 0;
      const ssize_t size = ::recv(from, direction.buffer.data(), kBuffer, 0);
      const int error = errno;
      direction.buffer.resize(size > 0 ? static_cast<size_t>(size) : 0);
      if (size < 0) return error == EAGAIN || error == EINTR;
      if (size == 0) direction.ended = true;
      continue;
    }
    const char* begin = direction.buffer.data() + direction.begin;
    const ssize_t size = ::send(to, begin, direction.buffer.size() - direction.begin, MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    direction.begin += static_cast<size_t>(size);
  }
  return true;
}

void Relays::end(Relay& relay) {
  relay.over = true;
  relay.client_watch.close();
  relay.server_watch.close();
  // Not within its own callback, which holds on to it.
  loop_.defer([this, &relay] { relays_.remove_if([&](const Relay& each) { return &each == &relay; }); });
}

}  // namespace devsock
