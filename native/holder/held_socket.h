#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "address.h"
#include "loop.h"
#include "result.h"

namespace devsock {

/// What a socket is made of; everything that a holder after this one needs to know of it but its descriptors.
struct SocketRecord {
  std::string name;
  /// As it was asked for: its port may be 0.
  std::string address;
  uint16_t port = 0;
  uint32_t steered = 0;
  /// The kernel's order of the group, as slot numbers; of a unix socket the order in which its slots were made.
  std::vector<uint32_t> order;
  int backlog = 0;
  mode_t mode = 0;
};

/// ADDRESS PORT STEERED ORDER BACKLOG MODE, as `list` and `fetch` give them and `store` takes them.
std::vector<std::string> print(const SocketRecord& record);

/// One kernel listener. The generation that has it has a duplicate: its description is shared, and its own
/// alone.
struct Slot {
  UniqueFd listener;
  Watch watch;
  /// Somebody asked for a `readable` event.
  bool watched = false;
};

/// A socket: its slots, and which of them new connections go to. TCP slots are an SO_REUSEPORT group and are
/// never closed while the socket is held: that would renumber the group and reset what waits in the slot.
/// A unix socket has no groups: the slot at its path gets the connections, and the next one is renamed over it.
class HeldSocket {
 public:
  /// One serves, up to four drain.
  static constexpr uint32_t kMaxSlots = 5;
  /// Called with the slot's number and its epoll events.
  using Events = std::function<void(uint32_t index, uint32_t events)>;

  /// With slot 0, steered to it. `record` comes with name, address, backlog and mode.
  static Result<std::unique_ptr<HeldSocket>> bind(SocketRecord record);
  /// Takes the slots of a holder that died.
  static Result<std::unique_ptr<HeldSocket>> store(SocketRecord record, std::vector<UniqueFd> listeners);

  /// Reports shut down listeners (EPOLLHUP, EPOLLRDHUP) for as long as the socket is held, and EPOLLIN where
  /// want_readable() asked for it.
  Failed watch(Loop& loop, Events events);
  void want_readable(uint32_t index, bool wanted);

  /// Makes the slot ready for a new generation; gives the path that leads to it alone (unix; else empty).
  Result<std::string> fresh(uint32_t index);
  Failed steer(uint32_t index);
  /// Blocking, its backlog and so on, whatever its last program did to it.
  Failed reset(uint32_t index);
  /// Lets slots that were shut down, in the order in which that happened, listen again.
  Failed revive(const std::vector<uint32_t>& closed);
  /// Removes the path of a unix socket if it still is ours. Call it before the end; a holder that dies does not.
  void remove_path();

  [[nodiscard]] const SocketRecord& record() const { return record_; }
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(slots_.size()); }
  [[nodiscard]] Slot& slot(uint32_t index) { return slots_[index]; }
  [[nodiscard]] std::vector<int> listeners() const;

 private:
  HeldSocket(SocketRecord record, Address address) : record_(std::move(record)), address_(std::move(address)) {}

  Failed attach();
  void find_files();
  Failed move_into_place(const std::string& path);
  Failed revive_tcp(const std::vector<uint32_t>& closed);
  Failed revive_unix(const std::vector<uint32_t>& closed);
  Failed replace_unix(uint32_t index, const std::string& path);
  Failed watch_slot(uint32_t index);
  [[nodiscard]] std::string next_path() const { return address_.path + "~"; }

  SocketRecord record_;
  /// With the port that it has.
  Address address_;
  std::vector<Slot> slots_;
  Loop* loop_ = nullptr;
  Events events_;
  /// unix: which slot waits under next_path().
  std::optional<uint32_t> next_;
  /// unix: the file at the path, to know it again.
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace devsock
