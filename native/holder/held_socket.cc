#include "held_socket.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "listener.h"
#include "text.h"

namespace devsock {

namespace {

// Edge-triggered: a listener that a program shut down is reported once and not until it listens again.
constexpr uint32_t kAlways = EPOLLET | EPOLLRDHUP;

/// The socket that listens where the record says: AF_UNIX at the path, or TCP at the port.
bool matches(int fd, const Address& address) {
  const auto local = local_address(fd);
  int type = 0;
  socklen_t size = sizeof type;
  if (!local || ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return false;
  if (address.is_unix()) return local->family() == AF_UNIX;
  return local->family() != AF_UNIX && local->port() == address.port;
}

bool is_permutation_of_slots(std::vector<uint32_t> order, size_t slots) {
  std::sort(order.begin(), order.end());
  for (uint32_t i = 0; i < order.size(); i++) {
    if (order[i] != i) return false;
  }
  return order.size() == slots;
}

std::string octal(mode_t mode) {
  char digits[12];
  std::snprintf(digits, sizeof digits, "%o", mode);
  return digits;
}

}  // namespace

std::vector<std::string> print(const SocketRecord& record) {
  return {record.address,
          std::to_string(record.port),
          std::to_string(record.steered),
          join_numbers(record.order),
          std::to_string(record.backlog),
          octal(record.mode)};
}

Result<std::unique_ptr<HeldSocket>> HeldSocket::bind(SocketRecord record) {
  auto address = parse_address(record.address);
  if (!address) return address.error();
  // A path must leave room for the ~ of the next slot.
  if (address->is_unix() && address->path.size() >= kMaxUnixPath) {
    return Error{ENAMETOOLONG, "bind", address->path + ": a socket's path has at most 106 bytes"};
  }
  std::unique_ptr<HeldSocket> socket(new HeldSocket(std::move(record), *address));
  SocketRecord& made = socket->record_;
  auto listener = address->is_unix() ? listen_unix(address->path, made.backlog, made.mode)
                                     : listen_tcp(*address, made.backlog, Claim::first);
  if (!listener) return listener.error();
  socket->slots_.push_back({std::move(*listener), {}, false});
  made.order = {0};
  made.steered = 0;
  if (address->is_unix()) {
    struct stat info;
    if (::lstat(address->path.c_str(), &info) != 0) return failed("lstat", address->path);
    socket->device_ = info.st_dev;
    socket->inode_ = info.st_ino;
    return socket;
  }
  const auto local = local_address(socket->slots_[0].listener.get());
  if (!local) return failed("getsockname", address->print());
  made.port = local->port();
  socket->address_.port = made.port;
  if (auto error = socket->attach()) return *error;
  return socket;
}

Result<std::unique_ptr<HeldSocket>> HeldSocket::store(SocketRecord record, std::vector<UniqueFd> listeners) {
  auto address = parse_address(record.address);
  if (!address) return address.error();
  if (!address->is_unix()) {
    if (record.port == 0) return malformed("store: no port");
    address->port = record.port;
  }
  if (listeners.empty() || listeners.size() > kMaxSlots || record.steered >= listeners.size() ||
      !is_permutation_of_slots(record.order, listeners.size())) {
    return malformed("store: slots, order and steered slot do not fit each other");
  }
  std::unique_ptr<HeldSocket> socket(new HeldSocket(std::move(record), *address));
  std::vector<uint32_t> closed;
  for (UniqueFd& listener : listeners) {
    if (!matches(listener.get(), *address)) return malformed("store: a descriptor is not a slot of that socket");
    if (!is_listening(listener.get())) closed.push_back(socket->size());
    socket->slots_.push_back({std::move(listener), {}, false});
  }
  if (address->is_unix()) socket->find_files();
  if (auto error = socket->revive(closed)) return *error;
  return socket;
}

/// What the dead holder had at the path and beside it.
void HeldSocket::find_files() {
  struct stat info;
  if (::lstat(address_.path.c_str(), &info) == 0) {
    device_ = info.st_dev;
    inode_ = info.st_ino;
  }
  const uint32_t newest = record_.order.back();
  const bool waits = ::lstat(next_path().c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
  if (waits && newest != record_.steered) next_ = newest;
}

Failed HeldSocket::watch(Loop& loop, Events events) {
  loop_ = &loop;
  events_ = std::move(events);
  for (uint32_t index = 0; index < size(); index++) {
    if (auto error = watch_slot(index)) return error;
  }
  return std::nullopt;
}

Failed HeldSocket::watch_slot(uint32_t index) {
  if (loop_ == nullptr) return std::nullopt;
  const auto callback = [this, index](uint32_t events) { events_(index, events); };
  if (!slots_[index].watch.open(*loop_, slots_[index].listener.get(), kAlways, callback)) {
    return failed("epoll_ctl", address_.print());
  }
  return std::nullopt;
}

void HeldSocket::want_readable(uint32_t index, bool wanted) {
  slots_[index].watch.want(wanted ? kAlways | EPOLLIN : kAlways);
}

Result<std::string> HeldSocket::fresh(uint32_t index) {
  if (index > size()) return malformed("fresh: the next slot is " + std::to_string(size()));
  if (index >= kMaxSlots) return Error{ENOSPC, "fresh", "a socket has at most 5 slots"};
  if (address_.is_unix()) {
    // Clients may wait at the path: that one is reset as a TCP slot is.
    if (index < size() && index == record_.steered) {
      if (auto error = reset(index)) return *error;
      return address_.path;
    }
    if (next_) ::unlink(next_path().c_str());
    next_.reset();
    if (auto error = replace_unix(index, next_path())) return *error;
    next_ = index;
    return next_path();
  }
  if (index < size()) {
    if (auto error = reset(index)) return *error;
    return std::string();
  }
  auto listener = listen_tcp(address_, record_.backlog, Claim::join);
  if (!listener) return listener.error();
  slots_.push_back({std::move(*listener), {}, false});
  record_.order.push_back(index);
  auto error = attach();
  if (!error) error = watch_slot(index);
  if (error) {
    // It joined last, so that nothing is renumbered when it leaves.
    slots_.pop_back();
    record_.order.pop_back();
    return *error;
  }
  return std::string();
}

Failed HeldSocket::steer(uint32_t index) {
  if (index >= size()) return malformed("steer: no such slot");
  if (index == record_.steered) return std::nullopt;
  const uint32_t before = record_.steered;
  if (!address_.is_unix()) {
    record_.steered = index;
    auto error = attach();
    if (error) record_.steered = before;
    return error;
  }
  if (next_ != index) return Error{ESTALE, "rename", address_.path + ": that slot has no path any more"};
  if (auto error = move_into_place(next_path())) return error;
  next_.reset();
  record_.steered = index;
  return std::nullopt;
}

/// The socket file at `path` becomes the one at the address, with nothing in between.
Failed HeldSocket::move_into_place(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return failed("lstat", path);
  if (::rename(path.c_str(), address_.path.c_str()) != 0) return failed("rename", address_.path);
  device_ = info.st_dev;
  inode_ = info.st_ino;
  return std::nullopt;
}

Failed HeldSocket::reset(uint32_t index) {
  if (index >= size()) return malformed(record_.name + " has no slot " + std::to_string(index));
  if (!is_listening(slots_[index].listener.get())) {
    if (auto error = revive({index})) return error;
    if (!is_listening(slots_[index].listener.get())) {
      return Error{ESTALE, "listen", record_.name + ": that slot was shut down, and has no path any more"};
    }
  }
  return reset_listener(slots_[index].listener.get(), record_.backlog, !address_.is_unix());
}

Failed HeldSocket::revive(const std::vector<uint32_t>& closed) {
  auto error = address_.is_unix() ? revive_unix(closed) : revive_tcp(closed);
  for (const uint32_t index : closed) {
    Slot& slot = slots_[index];
    // One that stays shut would be reported again whenever its interest changes.
    if (!is_listening(slot.listener.get())) slot.watch.close();
    else if (!slot.watch && !error) error = watch_slot(index);
  }
  return error;
}

Failed HeldSocket::revive_tcp(const std::vector<uint32_t>& closed) {
  std::vector<uint32_t>& order = record_.order;
  for (const uint32_t index : closed) {
    const auto place = std::find(order.begin(), order.end(), index);
    if (place == order.end()) continue;
    *place = order.back();  // reuseport_detach_sock() does the same
    order.pop_back();
  }
  for (const uint32_t index : closed) {
    if (::listen(slots_[index].listener.get(), record_.backlog) != 0) return failed("listen", address_.print());
    order.push_back(index);
  }
  return attach();
}

/// A unix listener never listens again: another takes its number, where clients can still come to it.
Failed HeldSocket::revive_unix(const std::vector<uint32_t>& closed) {
  for (const uint32_t index : closed) {
    if (index == record_.steered) {
      const std::string path = address_.path + "^";
      if (auto error = replace_unix(index, path)) return error;
      if (auto error = move_into_place(path)) return error;
    } else if (next_ == index) {
      if (auto error = replace_unix(index, next_path())) return error;
    }
  }
  return std::nullopt;
}

/// A new listener at `path` takes the slot's number. It becomes the last of the order, which is of no use to the
/// kernel here: so the next holder knows which slot waits under next_path().
Failed HeldSocket::replace_unix(uint32_t index, const std::string& path) {
  auto listener = listen_unix(path, record_.backlog, record_.mode);
  if (!listener) return listener.error();
  Slot slot{std::move(*listener), {}, false};
  std::vector<uint32_t>& order = record_.order;
  order.erase(std::remove(order.begin(), order.end(), index), order.end());
  order.push_back(index);
  if (index == size()) {
    slots_.push_back(std::move(slot));
  } else {
    slots_[index].watch.close();
    slots_[index] = std::move(slot);
  }
  return watch_slot(index);
}

void HeldSocket::remove_path() {
  if (!address_.is_unix()) return;
  if (next_) ::unlink(next_path().c_str());
  next_.reset();
  struct stat info;
  if (::lstat(address_.path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  if (info.st_dev == device_ && info.st_ino == inode_) ::unlink(address_.path.c_str());
}

std::vector<int> HeldSocket::listeners() const {
  std::vector<int> fds;
  for (const Slot& slot : slots_) fds.push_back(slot.listener.get());
  return fds;
}

/// The group's program; any listening slot will do to reach it.
Failed HeldSocket::attach() {
  if (address_.is_unix() || record_.order.empty()) return std::nullopt;
  return attach_steering(slots_[record_.order.front()].listener.get(), record_.order, record_.steered);
}

}  // namespace devsock
