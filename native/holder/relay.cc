#include "relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace devsock {

namespace {

constexpr size_t kBuffer = 64 * 1024;
// As many connections as a backlog holds; a client that connects again and again must not keep this going.
constexpr size_t kMaxTaken = 4096;
// Edge-triggered: each event moves all that can be moved in both directions.
constexpr uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

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
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    UniqueFd client(::accept4(listener, peer.get(), &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int error = errno;
    ::fcntl(listener, F_SETFL, flags);
    if (!client && (error == EAGAIN || error == ECONNABORTED || error == EINTR)) continue;
    if (!client) return failed("accept4", "slot", error);
    if (redirect(client, peer, target) || carry(std::move(client), target)) count++;
  }
  return count;
}

bool Relays::carry(UniqueFd client, const SocketAddress& target) {
  Relay& relay = relays_.emplace_back();
  relay.client = std::move(client);
  const auto on_client = [this, &relay](uint32_t) { pump(relay); };
  if (relay.client_watch.open(loop_, relay.client.get(), kInterest, on_client) && lead(relay, target)) return true;
  relays_.pop_back();
  return false;
}

bool Relays::lead(Relay& relay, const SocketAddress& target) {
  UniqueFd server(::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!server) return false;
  if (::connect(server.get(), target.get(), target.size) != 0 && errno != EINPROGRESS) return false;
  const auto on_server = [this, &relay](uint32_t events) {
    // An error says how the connection attempt ended; reading and writing would say it too.
    if ((events & EPOLLOUT) != 0) relay.connected = true;
    pump(relay);
  };
  relay.server_watch.close();
  relay.server = std::move(server);
  relay.from = local_address(relay.server.get()).value_or(SocketAddress{});
  relay.connected = false;
  return relay.server_watch.open(loop_, relay.server.get(), kInterest, on_server);
}

bool Relays::redirect(const UniqueFd& accepted, const SocketAddress& peer, const SocketAddress& target) {
  const auto found = std::find_if(relays_.begin(), relays_.end(), [&](const Relay& each) {
    return !each.over && same_end(each.from, peer);
  });
  if (found == relays_.end()) return false;
  Direction& request = found->request;
  int unread = 0;
  if (::ioctl(accepted.get(), FIONREAD, &unread) != 0) return false;
  const auto size = static_cast<size_t>(unread);
  if (size != request.sent || size > kBuffer) return false;
  std::vector<char> again(size);
  if (size > 0 && ::recv(accepted.get(), again.data(), size, 0) != unread) {
    end(*found);
    return true;
  }
  again.insert(again.end(), request.buffer.begin() + static_cast<ptrdiff_t>(request.begin), request.buffer.end());
  request = {std::move(again), 0, 0, request.ended, false};
  if (!lead(*found, target)) end(*found);
  return true;
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
        direction.begin = 0;
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
    direction.sent += static_cast<size_t>(size);
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
