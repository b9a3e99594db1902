// The requests of ARCHITECTURE.md, "The holder's protocol": what each takes, and what it answers. `list` is in
// list.cc.

#include <signal.h>

#include <algorithm>
#include <memory>

#include "../common/seqpacket.h"
#include "holder.h"
#include "text.h"

namespace devsock {

namespace {

constexpr size_t kMaxName = 255;

Failed check_name(const std::string& name) {
  if (name.empty() || name.size() > kMaxName) return malformed("a name has 1 to 255 bytes");
  return std::nullopt;
}

std::optional<std::vector<uint32_t>> parse_order(const std::string& text) {
  std::vector<uint32_t> order;
  for (const std::string_view part : split(text, ',')) {
    const auto number = parse_number<uint32_t>(part);
    if (!number) return std::nullopt;
    order.push_back(*number);
  }
  return order;
}

std::optional<Scope> parse_scope(const std::string& text) {
  if (text == "leader") return Scope::leader;
  if (text == "group") return Scope::group;
  if (text == "all") return Scope::all;
  return std::nullopt;
}

/// Reads BACKLOG and MODE; what is wrong with them.
Failed take_backlog_and_mode(SocketRecord& record, const std::string& backlog, const std::string& mode) {
  const auto number = parse_number<int>(backlog);
  if (!number || *number < 1) return malformed("the backlog is not a positive number");
  const auto bits = parse_number<mode_t>(mode, 8);
  if (!bits || *bits > 0777) return malformed("the mode is not octal");
  record.backlog = *number;
  record.mode = *bits;
  return std::nullopt;
}

}  // namespace

struct Holder::Verb {
  size_t least;
  size_t most;
  /// Descriptors that must come with it; -1: any number.
  int fds;
  bool for_clients;
  Result<Reply> (Holder::*run)(Call);
};

const std::map<std::string, Holder::Verb>& Holder::verbs() {
  static const std::map<std::string, Verb> table = {
      {"bind", {4, 4, 0, false, &Holder::bind}},     {"fresh", {2, 2, 0, false, &Holder::fresh}},
      {"steer", {2, 2, 0, false, &Holder::steer}},   {"spawn", {0, 0, 1, false, &Holder::spawn}},
      {"arm", {1, 1, 1, false, &Holder::arm}},       {"disarm", {1, 1, 0, false, &Holder::disarm}},
      {"watch", {2, 2, 0, false, &Holder::watch}},   {"signal", {3, 3, 0, false, &Holder::signal}},
      {"strays", {1, 1, 0, false, &Holder::strays}}, {"forget", {1, 1, 0, false, &Holder::forget}},
      {"relay", {2, 2, 0, false, &Holder::relay}},   {"fetch", {1, 1, 0, true, &Holder::fetch}},
      {"claim", {1, 1, 0, true, &Holder::claim}},    {"drop", {1, 1, 0, false, &Holder::drop}},
      {"store", {5, 7, -1, false, &Holder::store}},  {"receive", {1, 1, 0, true, &Holder::receive}},
      {"park", {1, 1, -1, true, &Holder::park}},     {"take", {1, 1, 0, true, &Holder::take}},
      {"pass", {1, 1, 0, false, &Holder::pass}},     {"drain", {1, 1, 0, false, &Holder::drain}},
      {"adopt", {5, 5 + kMaxDescriptors, -1, false, &Holder::adopt}},
      {"call", {1, 1, 0, false, &Holder::call_up}},  {"tripwire", {1, 2, -1, false, &Holder::tripwire}},
  };
  return table;
}

void Holder::answer(Peer& peer, Request& request, std::vector<UniqueFd> fds) {
  const std::string& seq = request.seq;
  const auto refuse = [&](Error error) { reply(peer, seq, std::move(error)); };
  if (!request.problem.empty()) return refuse({request.problem_number, "parse", request.problem});
  const Call call{peer, seq, request.args, fds};
  if (request.verb == "hello") return reply(peer, seq, hello(call));
  if (peer.role == Peer::Role::stranger) return refuse({EPERM, "hello", "a peer says hello first"});
  if (shutting_down_) return refuse({ESHUTDOWN, request.verb, "the holder is ending"});
  if (request.verb == "list") return request.args.empty() ? list(call) : refuse(malformed("list: no arguments"));

  const bool may = peer.role == Peer::Role::daemon;
  if (request.verb == "shutdown" && may) {
    peer.hold();
    Peer* asked = &peer;
    return shut_down(!daemon_.is(peer.who().pid), [this, asked, seq] {
      const auto is_it = [&](const auto& each) { return each.get() == asked; };
      if (std::any_of(peers_.begin(), peers_.end(), is_it)) reply(*asked, seq, Reply{});
    });
  }
  const auto verb = verbs().find(request.verb);
  if (verb == verbs().end() && request.verb != "shutdown") return refuse(malformed("unknown verb"));
  if (verb == verbs().end() || (!may && !verb->second.for_clients)) {
    return refuse({EPERM, request.verb, "only the daemon may"});
  }
  const Verb& known = verb->second;
  if (request.args.size() < known.least || request.args.size() > known.most) {
    return refuse(malformed(request.verb + ": wrong number of arguments"));
  }
  if (known.fds >= 0 && fds.size() != static_cast<size_t>(known.fds)) {
    return refuse(malformed(request.verb + ": wrong number of descriptors"));
  }
  reply(peer, seq, (this->*known.run)(call));
}

Result<Reply> Holder::hello(Call call) {
  if (call.args.size() != 2 || !call.fds.empty()) return malformed("hello VERSION daemon|client");
  if (call.args[0] != "1") return Error{EPROTONOSUPPORT, "hello", "this holder speaks version 1"};
  if (call.peer.role != Peer::Role::stranger) return malformed("hello comes once");
  if (call.args[1] == "client") {
    call.peer.role = Peer::Role::client;
  } else if (call.args[1] == "daemon") {
    if (daemon_peer_ != nullptr) return Error{EBUSY, "hello", "there is a daemon already"};
    call.peer.role = Peer::Role::daemon;
    daemon_peer_ = &call.peer;
    daemon_.adopt(call.peer.who().pid);
  } else {
    return malformed("hello VERSION daemon|client");
  }
  return Reply{{"1", std::to_string(::getpid())}, {}};
}

Result<Reply> Holder::bind(Call call) {
  SocketRecord record{.name = call.args[0], .address = call.args[1], .order = {}};
  if (auto error = check_name(record.name)) return *error;
  if (auto error = take_backlog_and_mode(record, call.args[2], call.args[3])) return *error;
  if (find_socket(record.name) != nullptr) return Error{EEXIST, "bind", "there is a socket " + record.name};
  auto socket = HeldSocket::bind(std::move(record));
  if (!socket) return socket.error();
  HeldSocket& bound = **socket;
  if (auto error = enter(std::move(*socket))) return *error;
  return Reply{{std::to_string(bound.record().port)}, {bound.slot(0).listener.get()}};
}

Result<HeldSocket*> Holder::find_slot(const std::string& name, const std::string& index) {
  HeldSocket* socket = find_socket(name);
  if (socket == nullptr) return Error{ENOENT, "find", "no socket " + name};
  const auto number = parse_number<uint32_t>(index);
  if (!number || *number >= socket->size()) return malformed(name + " has no slot " + index.substr(0, 16));
  return socket;
}

Result<Reply> Holder::fresh(Call call) {
  HeldSocket* socket = find_socket(call.args[0]);
  const auto index = parse_number<uint32_t>(call.args[1]);
  if (socket == nullptr) return Error{ENOENT, "find", "no socket " + call.args[0]};
  if (!index) return malformed("fresh: the slot is not a number");
  const std::vector<uint32_t> order = socket->record().order;
  auto probe = socket->fresh(*index);
  if (!probe) return probe.error();
  // One slot more at the end is what the reply says.
  const bool grown = socket->record().order.size() > order.size();
  if (!grown && socket->record().order != order) tell({"order", call.args[0], join_numbers(socket->record().order)});
  update_interest(call.args[0]);
  return Reply{{*probe}, {socket->slot(*index).listener.get()}};
}

Result<Reply> Holder::steer(Call call) {
  auto socket = find_slot(call.args[0], call.args[1]);
  if (!socket) return socket.error();
  const uint32_t before = (*socket)->record().steered;
  const auto index = *parse_number<uint32_t>(call.args[1]);
  if (auto error = (*socket)->steer(index)) return *error;
  if (index != before) drain_slot(call.args[0], before);
  offer(call.args[0]);
  return Reply{};
}

Result<Reply> Holder::spawn(Call call) {
  auto spec = read_spec(call.fds[0].get());
  if (!spec) return spec.error();
  auto started = start_generation(*spec);
  if (!started) return started.error();
  const Generation& generation = **started;
  return Reply{{std::to_string(generation.pid), std::to_string(generation.start)}, generation.fds()};
}

Result<Reply> Holder::arm(Call call) {
  if (auto error = check_name(call.args[0])) return *error;
  auto spec = read_spec(call.fds[0].get());
  if (!spec) return spec.error();
  if (spec->slots.empty()) return malformed("arm: a spec without a slot never starts");
  for (const SpecSlot& slot : spec->slots) {
    auto found = find_slot(slot.socket, std::to_string(slot.index));
    if (!found) return found.error();
  }
  std::vector<SpecSlot> touched = spec->slots;
  const auto before = armed_.find(call.args[0]);
  if (before != armed_.end()) touched.insert(touched.end(), before->second.slots.begin(), before->second.slots.end());
  armed_.insert_or_assign(call.args[0], Armed{std::move(call.fds[0]), spec->id, std::move(spec->slots)});
  for (const SpecSlot& slot : touched) update_interest(slot.socket);
  for (const SpecSlot& slot : touched) {
    if (parked_.has_asked(slot.socket)) loop_.defer([this, name = slot.socket] { wake_for_parked(name); });
  }
  return Reply{};
}

Result<Reply> Holder::disarm(Call call) {
  const auto found = armed_.find(call.args[0]);
  if (found == armed_.end()) return Reply{{"none"}, {}};
  const std::vector<SpecSlot> slots = std::move(found->second.slots);
  armed_.erase(found);
  for (const SpecSlot& slot : slots) update_interest(slot.socket);
  return Reply{{"armed"}, {}};
}

Result<Reply> Holder::watch(Call call) {
  auto socket = find_slot(call.args[0], call.args[1]);
  if (!socket) return socket.error();
  (*socket)->slot(*parse_number<uint32_t>(call.args[1])).watched = true;
  update_interest(call.args[0]);
  return Reply{};
}

Result<Reply> Holder::call_up(Call call) {
  if (auto error = generations_.call(call.args[0])) return *error;
  return Reply{};
}

Result<Reply> Holder::signal(Call call) {
  const auto number = parse_number<int>(call.args[1]);
  const auto scope = parse_scope(call.args[2]);
  if (!number || *number > SIGRTMAX || !scope) return malformed("signal ID NUMBER leader|group|all");
  auto count = generations_.signal(call.args[0], *number, *scope);
  if (!count) return count.error();
  return Reply{{std::to_string(*count)}, {}};
}

Result<Reply> Holder::strays(Call call) {
  auto pids = generations_.strays(call.args[0]);
  if (!pids) return pids.error();
  Reply answer;
  for (const pid_t pid : *pids) answer.fields.push_back(std::to_string(pid));
  return answer;
}

Result<Reply> Holder::forget(Call call) {
  if (auto error = generations_.forget(call.args[0])) return *error;
  drains_.erase(call.args[0]);
  tripwires_.erase(call.args[0]);
  return Reply{};
}

Result<Reply> Holder::relay(Call call) {
  auto found = find_slot(call.args[0], call.args[1]);
  if (!found) return found.error();
  HeldSocket& socket = **found;
  const auto index = *parse_number<uint32_t>(call.args[1]);
  if (index == socket.record().steered) return malformed("relay: connections go to that slot");
  auto count = relay_queue(socket, index);
  if (!count) return count.error();
  return Reply{{std::to_string(*count)}, {}};
}

Result<size_t> Holder::relay_queue(HeldSocket& socket, uint32_t index) {
  const auto target = connectable(socket.address());
  if (!target) return malformed("relay: no address");
  return relays_.take(socket.slot(index).listener.get(), *target);
}

Result<Reply> Holder::fetch(Call call) {
  HeldSocket* socket = find_socket(call.args[0]);
  if (socket == nullptr) return Error{ENOENT, "find", "no socket " + call.args[0]};
  return Reply{print(socket->record()), socket->listeners()};
}

Result<Holder::Claimed> Holder::claimed(const Peer& peer, const std::string& position) {
  const pid_t pid = peer.who().pid;
  const Generation* generation = generations_.owner(pid);
  if (generation == nullptr) return Error{ESRCH, "claim", "process " + std::to_string(pid) + " is of no generation"};
  const auto place = parse_number<uint32_t>(position);
  if (!place || *place >= generation->slots.size()) return malformed(generation->id + " has no such slot");
  const SpecSlot& slot = generation->slots[*place];
  auto socket = find_slot(slot.socket, std::to_string(slot.index));
  if (!socket) return socket.error();
  return Claimed{generation, slot, *socket};
}

Result<Reply> Holder::claim(Call call) {
  auto claim = claimed(call.peer, call.args[0]);
  if (!claim) return claim.error();
  return Reply{{claim->slot.socket}, {claim->socket->slot(claim->slot.index).listener.get()}};
}

Result<Reply> Holder::store(Call call) {
  const Arguments& args = call.args;
  SocketRecord record{.name = args[0], .address = args[1], .order = {}};
  if (auto error = check_name(record.name)) return *error;
  const auto port = parse_number<uint16_t>(args[2]);
  const auto steered = parse_number<uint32_t>(args[3]);
  const auto order = parse_order(args[4]);
  if (!port || !steered || !order) return malformed("store NAME ADDRESS PORT STEERED ORDER [BACKLOG [MODE]]");
  record.port = *port;
  record.steered = *steered;
  record.order = *order;
  const std::string backlog = args.size() > 5 ? args[5] : "4096";
  const std::string mode = args.size() > 6 ? args[6] : "600";
  if (auto error = take_backlog_and_mode(record, backlog, mode)) return *error;
  if (find_socket(record.name) != nullptr) return Error{EEXIST, "store", "there is a socket " + record.name};
  auto socket = HeldSocket::store(std::move(record), std::move(call.fds));
  if (!socket) return socket.error();
  if (auto error = enter(std::move(*socket))) return *error;
  return Reply{};
}

Result<Reply> Holder::adopt(Call call) {
  const auto pid = parse_number<pid_t>(call.args[1]);
  const auto start = parse_number<uint64_t>(call.args[2]);
  const std::string& ready = call.args[4];
  if (auto error = check_name(call.args[0])) return *error;
  if (!pid || *pid < 2 || !start || call.args[3].size() != 32 || (ready != "0" && ready != "1")) {
    return malformed("adopt ID PID START INVOCATION 0|1 [SLOT…]");
  }
  Generation generation;
  generation.id = call.args[0];
  generation.pid = *pid;
  generation.start = *start;
  generation.invocation = call.args[3];
  generation.ready = ready == "1";
  for (size_t at = 5; at < call.args.size(); at++) {
    const auto slot = parse_slot(call.args[at]);
    if (!slot) return malformed("adopt: a slot is INDEX FDNAME NAME");
    generation.slots.push_back(*slot);
  }
  if (call.fds.size() > 2) return malformed("adopt: wrong number of descriptors");
  if (auto error = generations_.adopt(std::move(generation), std::move(call.fds))) return *error;
  return Reply{};
}

Result<Reply> Holder::drop(Call call) {
  const auto found = sockets_.find(call.args[0]);
  if (found == sockets_.end()) return Error{ENOENT, "find", "no socket " + call.args[0]};
  found->second->remove_path();
  sockets_.erase(found);
  parked_.drop(call.args[0]);
  return Reply{};
}

}  // namespace devsock
