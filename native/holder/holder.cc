#include "holder.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "../common/errno_name.h"
#include "listener.h"
#include "log.h"
#include "text.h"

namespace devsock {

namespace {

using namespace std::chrono_literals;

constexpr auto kHelloDeadline = 5s;
constexpr auto kClientsWait = 100ms;
// Every Node server below a generation stays connected.
constexpr size_t kMaxPeers = 4096;

UniqueFd open_spare() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Holder::Holder(Loop& loop, RuntimeFolder folder, UniqueFd listener, Launch daemon, Defaults defaults)
    : loop_(loop),
      folder_(std::move(folder)),
      listener_(std::move(listener)),
      clients_wait_(loop, [this] { listener_watch_.want(EPOLLIN); }),
      spare_(open_spare()),
      daemon_(loop, std::move(daemon)),
      generations_(loop, folder_.notify_folder(), defaults,
                   {.exited =
                        [this](const Generation& each) {
                          const std::string left = std::to_string(each.left);
                          tell({"exited", each.id, text_of(each.code), text_of(each.signal), left});
                        },
                    .gone = [this](const Generation& each) { tell({"gone", each.id}); },
                    .ready = [this](const Generation& each) { tell({"ready", each.id}); },
                    .notify =
                        [this](const Generation& each, const std::string& payload) {
                          // A program that floods its notify socket must not cost the daemon its connection.
                          if (daemon_peer_ != nullptr && daemon_peer_->congested()) return;
                          tell({"notify", each.id, payload});
                        },
                    .listener =
                        [this](const SpecSlot& slot) {
                          auto socket = find_slot(slot.socket, std::to_string(slot.index));
                          return socket ? (*socket)->slot(slot.index).listener.get() : -1;
                        }},
                   [this](pid_t pid) { return daemon_.is(pid); }),
      relays_(loop),
      parked_(loop, [this](const std::string& name) { wake_for_parked(name); }) {}

Failed Holder::start(bool adopt) {
  if (!listener_watch_.open(loop_, listener_.get(), EPOLLIN, [this](uint32_t) { on_connection(); })) {
    return failed("epoll_ctl", "holder.sock");
  }
  if (adopt) {
    daemon_.start_unless_adopted_within(kHelloDeadline);
  } else {
    folder_.clean();
    daemon_.start();
  }
  return std::nullopt;
}

void Holder::on_child() {
  daemon_.collect();
  generations_.collect();
}

void Holder::on_connection() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket && (errno == EMFILE || errno == ENFILE)) return turn_away();
  if (!socket) return;
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return;
  if (who.uid != ::geteuid()) return log_line("a client of user " + std::to_string(who.uid) + " was turned away");
  if (peers_.size() >= kMaxPeers) return log_line("a client was turned away: too many are connected");
  auto peer = std::make_unique<Peer>(
      loop_, std::move(socket), who,
      Peer::Events{[this](Peer& from, Request& request, std::vector<UniqueFd> fds) {
                     answer(from, request, std::move(fds));
                   },
                   [this](Peer& closed) { on_closed(closed); }});
  if (peer->open()) peers_.push_back(std::move(peer));
  out_of_files_ = false;
  if (!spare_) spare_ = open_spare();
}

void Holder::turn_away() {
  spare_.reset();
  const bool away = static_cast<bool>(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  spare_ = open_spare();
  if (!out_of_files_) log_line("clients are turned away: too many files open");
  out_of_files_ = true;
  if (away) return;
  // Its limit was lowered below what it has, or the machine has no file left: they would be reported again at once.
  listener_watch_.want(0);
  clients_wait_.start(kClientsWait);
}

void Holder::on_closed(Peer& peer) {
  forget_peer(peer);
  if (daemon_peer_ == &peer) {
    daemon_peer_ = nullptr;
    // Nobody waits for these any more; armed specs stay.
    for (const auto& [name, socket] : sockets_) {
      for (uint32_t index = 0; index < socket->size(); index++) socket->slot(index).watched = false;
      update_interest(name);
    }
  }
  loop_.defer([this, &peer] {
    peers_.remove_if([&](const std::unique_ptr<Peer>& each) { return each.get() == &peer; });
  });
}

void Holder::reply(Peer& peer, const std::string& seq, Result<Reply> result) {
  if (!result) {
    const Error& error = result.error();
    return peer.send({seq, "error", errno_name(error.number), error.call, error.message});
  }
  std::vector<std::string> fields = {seq, "ok"};
  fields.insert(fields.end(), result->fields.begin(), result->fields.end());
  peer.send(fields, result->fds);
}

/// Nothing is kept for a daemon that is away: `list` shows it the same.
void Holder::tell(const std::vector<std::string>& event, const std::vector<int>& fds) {
  if (daemon_peer_ == nullptr) return;
  std::vector<std::string> fields = {"!"};
  fields.insert(fields.end(), event.begin(), event.end());
  daemon_peer_->send(fields, fds);
}

HeldSocket* Holder::find_socket(const std::string& name) {
  const auto found = sockets_.find(name);
  return found == sockets_.end() ? nullptr : found->second.get();
}

Failed Holder::enter(std::unique_ptr<HeldSocket> socket) {
  const std::string name = socket->record().name;
  const auto events = [this, name](uint32_t index, uint32_t events) { on_slot(name, index, events); };
  if (auto error = socket->watch(loop_, events)) return error;
  sockets_.emplace(name, std::move(socket));
  update_interest(name);
  return std::nullopt;
}

void Holder::on_slot(const std::string& name, uint32_t index, uint32_t events) {
  HeldSocket* socket = find_socket(name);
  if (socket == nullptr) return;
  if ((events & (EPOLLHUP | EPOLLRDHUP)) != 0) return on_shut(name, index);
  if ((events & EPOLLIN) == 0) return;
  if (std::exchange(socket->slot(index).watched, false)) tell({"readable", name, std::to_string(index)});
  std::vector<std::string> woken;
  for (const auto& [key, spec] : armed_) {
    const auto is_this = [&](const SpecSlot& slot) { return slot.socket == name && slot.index == index; };
    if (std::any_of(spec.slots.begin(), spec.slots.end(), is_this)) woken.push_back(key);
  }
  for (const std::string& key : woken) fire(key, name);
  update_interest(name);
}

/// Events come in the order in which the slots were shut down, and that is the order in which the kernel removed
/// them from the group: none listens again before all are known.
void Holder::on_shut(const std::string& name, uint32_t index) {
  if (is_listening(sockets_[name]->slot(index).listener.get())) return;
  std::vector<uint32_t>& shut = shut_[name];
  if (shut.empty()) loop_.defer([this, name] { revive(name); });
  if (std::find(shut.begin(), shut.end(), index) == shut.end()) shut.push_back(index);
}

void Holder::revive(const std::string& name) {
  const std::vector<uint32_t> shut = std::exchange(shut_[name], {});
  shut_.erase(name);
  HeldSocket* socket = find_socket(name);
  if (socket == nullptr) return;
  if (auto error = socket->revive(shut)) {
    log_line("a program shut " + name + " down and it does not listen again: " + error->message);
  }
  update_interest(name);
  tell({"order", name, join_numbers(socket->record().order)});
}

bool Holder::is_armed(const std::string& name, uint32_t index) const {
  return std::any_of(armed_.begin(), armed_.end(), [&](const auto& each) {
    const auto& slots = each.second.slots;
    return std::any_of(slots.begin(), slots.end(),
                       [&](const SpecSlot& slot) { return slot.socket == name && slot.index == index; });
  });
}

void Holder::update_interest(const std::string& name) {
  HeldSocket* socket = find_socket(name);
  if (socket == nullptr) return;
  for (uint32_t index = 0; index < socket->size(); index++) {
    socket->want_readable(index, socket->slot(index).watched || is_armed(name, index));
  }
}

void Holder::fire(const std::string& key, const std::string& woken_by) {
  const auto found = armed_.find(key);
  if (found == armed_.end()) return;
  const Armed armed = std::move(found->second);
  armed_.erase(found);
  for (const SpecSlot& slot : armed.slots) update_interest(slot.socket);
  auto spec = read_spec(armed.file.get());
  auto started = spec ? start_generation(*spec) : Result<const Generation*>(spec.error());
  if (!started) {
    const Error& error = started.error();
    log_line(armed.id + " could not be started: " + error.call + " " + error.message);
    return tell({"spawn-failed", key, armed.id, errno_name(error.number), error.call, error.message, woken_by});
  }
  const Generation& generation = **started;
  tell({"spawned", key, generation.id, std::to_string(generation.pid), std::to_string(generation.start), woken_by},
       generation.fds());
}

Result<const Generation*> Holder::start_generation(const Spec& spec) {
  if (shutting_down_) return Error{ESHUTDOWN, "spawn", "the holder is ending"};
  if (const Generation* known = generations_.find(spec.id)) return known;
  std::vector<int> slots;
  for (const SpecSlot& slot : spec.slots) {
    HeldSocket* socket = find_socket(slot.socket);
    if (socket == nullptr) return Error{ENOENT, "spawn", "no socket " + slot.socket};
    if (auto error = socket->reset(slot.index)) return *error;
    slots.push_back(socket->slot(slot.index).listener.get());
  }
  return generations_.spawn(spec, std::move(slots));
}

/// Processes first: they hold duplicates of the listeners, and a port is free when the last of these is closed.
void Holder::shut_down(bool end_daemon_now, std::function<void()> released) {
  if (shutting_down_) return;
  shutting_down_ = true;
  log_line("shutting down");
  armed_.clear();
  generations_.kill_all([this, end_daemon_now, released = std::move(released)] {
    for (const auto& [name, socket] : sockets_) socket->remove_path();
    sockets_.clear();
    parked_.clear();
    listener_watch_.close();
    listener_.reset();
    folder_.remove();
    if (released) released();
    daemon_.end(end_daemon_now, [this] {
      folder_.remove_lock();
      log_line("ended");
      loop_.stop();
    });
  });
}

}  // namespace devsock
