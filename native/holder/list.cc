// The `list` request: everything that a holder has, for a daemon that has just come.

#include <memory>

#include "holder.h"

namespace devsock {

namespace {

const char* print(Generation::Phase phase) {
  switch (phase) {
    case Generation::Phase::running:
      return "running";
    case Generation::Phase::exited:
      return "exited";
    case Generation::Phase::gone:
      break;
  }
  return "gone";
}

}  // namespace

void Holder::list_generation(Peer& peer, const std::string& seq, const Generation& generation) {
  std::vector<std::string> fields = {seq,
                                     "item",
                                     "generation",
                                     generation.id,
                                     std::to_string(generation.pid),
                                     std::to_string(generation.start),
                                     print(generation.phase),
                                     text_of(generation.code),
                                     text_of(generation.signal),
                                     generation.ready ? "1" : "0",
                                     std::to_string(generation.left),
                                     generation.invocation};
  for (const SpecSlot& slot : generation.slots) fields.push_back(print(slot));
  peer.send(fields, generation.fds());
}

/// One item at a time, as the peer takes them: each with its state at that moment. What goes in the meantime is
/// left out; what comes is told by events, or was asked for by the reader itself.
void Holder::list(Call call) {
  struct Cursor {
    std::vector<std::string> sockets;
    std::vector<std::string> generations;
    std::vector<std::string> armed;
    size_t next = 0;
    size_t sent = 0;
  };
  auto cursor = std::make_shared<Cursor>();
  for (const auto& [name, socket] : sockets_) cursor->sockets.push_back(name);
  for (const auto& [id, generation] : generations_.all()) cursor->generations.push_back(id);
  for (const auto& [key, spec] : armed_) cursor->armed.push_back(key);
  Peer* peer = &call.peer;
  peer->stream([this, peer, cursor, seq = call.seq] {
    size_t at = cursor->next++;
    if (at < cursor->sockets.size()) {
      HeldSocket* socket = find_socket(cursor->sockets[at]);
      if (socket == nullptr) return true;
      std::vector<std::string> fields = print(socket->record());
      fields.insert(fields.begin(), {seq, "item", "socket", socket->record().name});
      cursor->sent++;
      peer->send(fields, socket->listeners());
      return true;
    }
    at -= cursor->sockets.size();
    if (at < cursor->generations.size()) {
      const Generation* generation = generations_.find(cursor->generations[at]);
      if (generation == nullptr) return true;
      cursor->sent++;
      list_generation(*peer, seq, *generation);
      return true;
    }
    at -= cursor->generations.size();
    if (at < cursor->armed.size()) {
      if (!armed_.contains(cursor->armed[at])) return true;
      cursor->sent++;
      peer->send({seq, "item", "armed", cursor->armed[at]});
      return true;
    }
    peer->send({seq, "ok", std::to_string(cursor->sent)});
    return false;
  });
}

}  // namespace devsock
