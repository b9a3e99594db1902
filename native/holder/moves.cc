// Connections that go from one generation to the next: a program that drains parks them, one that starts takes them
// (ARCHITECTURE.md, "Moving connections").

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "../common/seqpacket.h"
#include "address.h"
#include "holder.h"

namespace devsock {

namespace {

int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/// Whether it can have been accepted at that address.
bool is_connection_of(const Address& address, int fd) {
  if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 0) return false;
  const auto local = local_address(fd);
  return local && (local->family() == AF_UNIX) == address.is_unix() &&
         (address.is_unix() || local->port() == address.port);
}

std::vector<int> numbers(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

}  // namespace

const Holder::Receiver* Holder::receiver(const Peer& peer, const std::string& position) const {
  const auto found = std::find_if(receivers_.begin(), receivers_.end(), [&](const Receiver& each) {
    return each.peer == &peer && each.position == position;
  });
  return found == receivers_.end() ? nullptr : &*found;
}

/// Its generation gets the new connections.
bool Holder::receives_now(const Receiver& receiver) {
  const HeldSocket* socket = find_socket(receiver.slot.socket);
  return socket != nullptr && socket->record().steered == receiver.slot.index;
}

size_t Holder::count_receivers(const std::string& name) {
  return static_cast<size_t>(std::count_if(receivers_.begin(), receivers_.end(), [&](const Receiver& each) {
    return each.slot.socket == name && receives_now(each);
  }));
}

/// Tells every program that may take them.
void Holder::offer(const std::string& name) {
  if (parked_.count(name) == 0) return;
  // A copy: one that cannot be told is closed, and leaves the list.
  for (const Receiver& each : std::vector<Receiver>(receivers_)) {
    if (each.slot.socket == name && receives_now(each)) each.peer->send({"!", "parked", each.position});
  }
}

void Holder::forget_peer(Peer& peer) {
  std::erase_if(receivers_, [&](const Receiver& each) { return each.peer == &peer; });
  auto given = given_.extract(&peer);
  if (given.empty() || find_socket(given.mapped().name) == nullptr) return;
  const std::string& name = given.mapped().name;
  parked_.put_back(name, std::move(given.mapped().connections));
  offer(name);
  tell({"parked", name});
}

/// A request on a parked connection starts what is armed, as a new connection does.
void Holder::wake_for_parked(const std::string& name) {
  const HeldSocket* socket = find_socket(name);
  if (socket == nullptr || !parked_.has_asked(name)) return;
  tell({"parked", name});
  std::vector<std::string> woken;
  for (const auto& [key, spec] : armed_) {
    const auto is_next = [&](const SpecSlot& slot) {
      return slot.socket == name && slot.index == socket->record().steered;
    };
    if (std::any_of(spec.slots.begin(), spec.slots.end(), is_next)) woken.push_back(key);
  }
  for (const std::string& key : woken) fire(key, name);
}

Result<Reply> Holder::receive(Call call) {
  const std::string& position = call.args[0];
  auto claim = claimed(call.peer, position);
  if (!claim) return claim.error();
  if (receiver(call.peer, position) != nullptr) return Error{EEXIST, "receive", "it receives already"};
  const auto& [generation, slot, socket] = *claim;
  receivers_.push_back({&call.peer, generation->id, position, slot});
  const auto drain = drains_.find(generation->id);
  // Before the reply, and the program knows: what it hears is of what it asked for.
  if (drain != drains_.end() && drain->second.asked) call.peer.send({"!", "drain"});
  const auto wire = tripwires_.find(generation->id);
  if (wire != tripwires_.end()) {
    set_stops(*generation, wire->second, false);
    call.peer.send({"!", "tripwire"}, {wire->second.files.get()});
  }
  offer(slot.socket);
  return Reply{{slot.socket}, {}};
}

Result<Reply> Holder::park(Call call) {
  const Receiver* from = receiver(call.peer, call.args[0]);
  if (from == nullptr) return Error{EPERM, "park", "it does not receive at that position"};
  const HeldSocket* socket = find_socket(from->slot.socket);
  if (socket == nullptr) return Error{ENOENT, "find", "no socket " + from->slot.socket};
  const auto is_one = [&](const UniqueFd& fd) { return is_connection_of(socket->address(), fd.get()); };
  if (call.fds.empty() || !std::all_of(call.fds.begin(), call.fds.end(), is_one)) {
    return malformed("park: not a connection of " + from->slot.socket);
  }
  const std::string name = from->slot.socket;
  // The program has seen it first.
  if (has_tripped(from->generation)) trip(from->generation);
  drains_[from->generation].moved += call.fds.size();
  for (UniqueFd& fd : call.fds) parked_.add(name, std::move(fd));
  offer(name);
  tell({"parked", name});
  return Reply{};
}

/// A program names its position; the daemon, which answers in place of one, the socket, and gets those that have
/// asked. What was given before has arrived when more is asked for.
Result<Reply> Holder::take(Call call) {
  given_.erase(&call.peer);
  std::string name = call.args[0];
  size_t most = kMaxDescriptors;
  const bool by_daemon = call.peer.role == Peer::Role::daemon;
  if (!by_daemon) {
    const Receiver* to = receiver(call.peer, call.args[0]);
    if (to == nullptr) return Error{EPERM, "take", "it does not receive at that position"};
    if (!receives_now(*to)) return Reply{};
    name = to->slot.socket;
    // So that the workers of a cluster have a part each.
    const size_t sharing = std::max<size_t>(1, count_receivers(name));
    most = std::min(most, (parked_.count(name) + sharing - 1) / sharing);
  }
  std::vector<UniqueFd> taken = parked_.take(name, most, by_daemon);
  if (taken.empty()) return Reply{};
  const Given& given = given_[&call.peer] = {name, std::move(taken)};
  return Reply{{}, numbers(given.connections)};
}

Result<Reply> Holder::pass(Call call) {
  const HeldSocket* socket = find_socket(call.args[0]);
  if (socket == nullptr) return Error{ENOENT, "find", "no socket " + call.args[0]};
  size_t count = 0;
  const auto target = connectable(socket->address());
  if (!target || count_receivers(call.args[0]) > 0) return Reply{{"0"}, {}};
  for (UniqueFd& fd : parked_.take(call.args[0], parked_.count(call.args[0]))) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) continue;
    if (relays_.carry(std::move(fd), *target)) count++;
  }
  return Reply{{std::to_string(count)}, {}};
}

/// Tells the programs of a generation that receive to let go; those that come later are told when they come. Their
/// pids.
std::set<pid_t> Holder::begin_drain(const std::string& generation) {
  if (!std::exchange(drains_[generation].asked, true)) tell_receivers(generation, {"drain"});
  std::set<pid_t> pids;
  for (const Receiver& each : receivers_) {
    if (each.generation == generation) pids.insert(each.peer->who().pid);
  }
  return pids;
}

void Holder::tell_receivers(const std::string& generation, const std::vector<std::string>& event,
                            const std::vector<int>& fds) {
  std::vector<std::string> fields = {"!"};
  fields.insert(fields.end(), event.begin(), event.end());
  // A copy: one that cannot be told is closed, and leaves the list.
  for (const Receiver& each : std::vector<Receiver>(receivers_)) {
    if (each.generation == generation) each.peer->send(fields, fds);
  }
}

/// Who had that slot, which new connections do not go to any more, leaves: its programs need not wait to be told so.
void Holder::drain_slot(const std::string& name, uint32_t index) {
  std::set<std::string> leaving;
  for (const Receiver& each : receivers_) {
    if (each.slot.socket == name && each.slot.index == index) leaving.insert(each.generation);
  }
  for (const std::string& generation : leaving) begin_drain(generation);
}

Result<Reply> Holder::drain(Call call) {
  if (generations_.find(call.args[0]) == nullptr) return Error{ENOENT, "find", "no generation " + call.args[0]};
  const std::set<pid_t> pids = begin_drain(call.args[0]);
  Reply answer{{std::to_string(drains_[call.args[0]].moved)}, {}};
  for (const pid_t pid : pids) answer.fields.push_back(std::to_string(pid));
  return answer;
}

}  // namespace devsock
