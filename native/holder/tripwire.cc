// A save steers by itself (ARCHITECTURE.md, "At the moment of a save"): the daemon says beforehand which files a
// generation was started from, and where new connections go when one of them is another.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "holder.h"
#include "log.h"
#include "text.h"

namespace devsock {

Result<Reply> Holder::tripwire(Call call) {
  const std::string& id = call.args[0];
  const Generation* generation = generations_.find(id);
  if (generation == nullptr) return Error{ENOENT, "find", "no generation " + id};
  if (call.args.size() == 1) {
    if (!call.fds.empty()) return malformed("tripwire: a descriptor without a slot");
    if (untrip(id)) tell_receivers(id, {"tripwire"});
    return Reply{};
  }
  for (const SpecSlot& slot : generation->slots) {
    if (auto socket = find_slot(slot.socket, call.args[1]); !socket) return socket.error();
  }
  const auto index = parse_number<uint32_t>(call.args[1]);
  if (!index) return malformed("tripwire: the slot is not a number");
  const auto known = tripwires_.find(id);
  if (call.fds.empty()) {
    if (known == tripwires_.end()) return Error{ENOENT, "find", id + " has no tripwire"};
    known->second.index = *index;
    return Reply{};
  }
  if (call.fds.size() > 1) return malformed("tripwire: wrong number of descriptors");
  untrip(id);
  Tripwire& wire = tripwires_[id];
  wire.files = std::move(call.fds[0]);
  wire.index = *index;
  if (!wire.watch.open(loop_, wire.files.get(), EPOLLIN, [this, id](uint32_t) { trip(id); })) {
    const Error error = failed("epoll_ctl", id);
    tripwires_.erase(id);
    return error;
  }
  // An earlier save has stopped it, perhaps, and the holder that was to let it go on has died.
  if (generation->adopted && !has_tripped(id)) Generations::go_on(*generation);
  const auto is_one = [&](const Receiver& each) { return each.generation == id; };
  set_stops(*generation, wire, std::none_of(receivers_.begin(), receivers_.end(), is_one));
  tell_receivers(id, {"tripwire"}, {wire.files.get()});
  return Reply{};
}

/// A program that does not let go by itself is stopped in the system call that makes the save (fcntl(2), F_SETSIG), so
/// that it accepts nobody who comes after it; it goes on as soon as the holder has seen to those who have.
void Holder::set_stops(const Generation& generation, Tripwire& wire, bool on) {
  if (wire.stops == on || (on && !generation.holds_group())) return;
  const int files = wire.files.get();
  const int flags = ::fcntl(files, F_GETFL);
  wire.stops = on && ::fcntl(files, F_SETOWN, -generation.pid) == 0 && ::fcntl(files, F_SETSIG, SIGSTOP) == 0 &&
               ::fcntl(files, F_SETFL, flags | O_ASYNC) == 0;
  if (on) return;
  // In this order: from here on nothing stops it any more.
  ::fcntl(files, F_SETFL, flags & ~O_ASYNC);
  Generations::go_on(generation);
}

/// False where it had none.
bool Holder::untrip(const std::string& id) {
  const auto wire = tripwires_.find(id);
  if (wire == tripwires_.end()) return false;
  if (const Generation* generation = generations_.find(id)) set_stops(*generation, wire->second, false);
  tripwires_.erase(wire);
  return true;
}

bool Holder::has_tripped(const std::string& generation) const {
  const auto wire = tripwires_.find(generation);
  if (wire == tripwires_.end()) return false;
  pollfd files{wire->second.files.get(), POLLIN, 0};
  return ::poll(&files, 1, 0) > 0;
}

/// Once: another save changes nothing for a generation that is to go.
void Holder::trip(const std::string& id) {
  const auto wire = tripwires_.find(id);
  const Generation* generation = generations_.find(id);
  if (wire == tripwires_.end() || generation == nullptr) return;
  const auto [index, stops] = std::pair(wire->second.index, wire->second.stops);
  bool steered = false;
  for (const SpecSlot& slot : generation->slots) {
    HeldSocket* socket = find_socket(slot.socket);
    if (socket == nullptr) continue;
    // The daemon has been faster, or something else was to be done with it.
    if (socket->record().steered == slot.index) {
      if (auto error = socket->steer(index)) {
        log_line(slot.socket + " is not steered at a save: " + error->call + " " + error->message);
        continue;
      }
      steered = true;
      offer(slot.socket);
    }
    if (stops && socket->record().steered != slot.index) std::ignore = relay_queue(*socket, slot.index);
  }
  untrip(id);
  if (!steered) return;
  begin_drain(id);
  tell({"tripped", id, std::to_string(index)});
}

}  // namespace devsock
