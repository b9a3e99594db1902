// A save steers by itself (ARCHITECTURE.md, "At the moment of a save"): the daemon says beforehand which files a
// generation was started from, and where new connections go when one of them is another.

#include <poll.h>
#include <sys/epoll.h>

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
    if (tripwires_.erase(id) > 0) tell_receivers(id, {"tripwire"});
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
  tripwires_.erase(id);
  Tripwire& wire = tripwires_[id];
  wire.files = std::move(call.fds[0]);
  wire.index = *index;
  if (!wire.watch.open(loop_, wire.files.get(), EPOLLIN, [this, id](uint32_t) { trip(id); })) {
    const Error error = failed("epoll_ctl", id);
    tripwires_.erase(id);
    return error;
  }
  tell_receivers(id, {"tripwire"}, {wire.files.get()});
  return Reply{};
}

bool Holder::has_tripped(const std::string& generation) const {
  const auto wire = tripwires_.find(generation);
  if (wire == tripwires_.end()) return false;
  pollfd files{wire->second.files.get(), POLLIN, 0};
  return ::poll(&files, 1, 0) > 0;
}

/// Once: another save changes nothing for a generation that is to go.
void Holder::trip(const std::string& id) {
  const auto wire = tripwires_.extract(id);
  const Generation* generation = generations_.find(id);
  if (wire.empty() || generation == nullptr) return;
  const uint32_t index = wire.mapped().index;
  bool steered = false;
  for (const SpecSlot& slot : generation->slots) {
    HeldSocket* socket = find_socket(slot.socket);
    // The daemon has been faster, or something else was to be done with it.
    if (socket == nullptr || socket->record().steered != slot.index) continue;
    if (auto error = socket->steer(index)) {
      log_line(slot.socket + " is not steered at a save: " + error->call + " " + error->message);
      continue;
    }
    steered = true;
    offer(slot.socket);
  }
  if (!steered) return;
  begin_drain(id);
  tell({"tripped", id, std::to_string(index)});
}

}  // namespace devsock
