#include "parked.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace devsock {

namespace {

// As many idle connections as a server in development can be thought to have.
constexpr size_t kMost = 1024;

}  // namespace

void Parked::add(const std::string& name, UniqueFd connection) {
  Connections& connections = all_[name];
  if (connections.size() == kMost) connections.pop_front();
  connections.push_back({std::move(connection), {}, false});
  watch(name, std::prev(connections.end()));
}

void Parked::put_back(const std::string& name, std::vector<UniqueFd> taken) {
  if (taken.empty()) return;
  Connections& connections = all_[name];
  const auto before = connections.begin();
  for (UniqueFd& fd : taken) watch(name, connections.insert(before, {std::move(fd), {}, false}));
  while (connections.size() > kMost) connections.pop_front();
}

std::vector<UniqueFd> Parked::take(const std::string& name, size_t most, bool asked) {
  std::vector<UniqueFd> taken;
  const auto found = all_.find(name);
  if (found == all_.end()) return taken;
  Connections& connections = found->second;
  for (auto each = connections.begin(); each != connections.end() && taken.size() < most;) {
    if (asked && !each->asked) {
      ++each;
      continue;
    }
    each->watch.close();
    taken.push_back(std::move(each->fd));
    each = connections.erase(each);
  }
  return taken;
}

size_t Parked::count(const std::string& name) const {
  const auto found = all_.find(name);
  return found == all_.end() ? 0 : found->second.size();
}

bool Parked::has_asked(const std::string& name) const {
  const auto found = all_.find(name);
  if (found == all_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [](const Connection& each) { return each.asked; });
}

void Parked::watch(const std::string& name, Connections::iterator connection) {
  const auto on_event = [this, name, connection](uint32_t events) { this->on_event(name, connection, events); };
  // One that cannot be watched (ENOSPC) can still be taken.
  std::ignore = connection->watch.open(loop_, connection->fd.get(), EPOLLIN | EPOLLRDHUP, on_event);
}

void Parked::on_event(const std::string& name, Connections::iterator connection, uint32_t events) {
  char byte;
  const ssize_t size = ::recv(connection->fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const int error = errno;
  // After a reset what came before it can still be read, and nobody is there to be answered.
  if ((events & (EPOLLHUP | EPOLLERR)) == 0) {
    if (size < 0 && (error == EAGAIN || error == EINTR)) return;
    if (size > 0) {
      connection->asked = true;
      connection->watch.want(0);
      return asked_(name);
    }
  }
  all_[name].erase(connection);
}

}  // namespace devsock
