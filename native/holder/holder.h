#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "daemon_process.h"
#include "generation.h"
#include "held_socket.h"
#include "loop.h"
#include "parked.h"
#include "peer.h"
#include "relay.h"
#include "result.h"
#include "runtime_folder.h"
#include "spec.h"

namespace devsock {

/// What a request is answered with, when it is answered at once.
struct Reply {
  std::vector<std::string> fields;
  /// Borrowed; sent before anything else happens.
  std::vector<int> fds;
};

/// All that must survive: sockets, generations, armed specs; and who may ask for them. Decides nothing.
/// Its verbs are in verbs.cc.
class Holder {
 public:
  Holder(Loop& loop, RuntimeFolder folder, UniqueFd listener, Launch daemon, Defaults defaults);

  /// `adopt`: the daemon that started this holder goes on, and says hello.
  Failed start(bool adopt);
  /// SIGCHLD.
  void on_child();
  /// The same as the `shutdown` request; for SIGTERM.
  void shut_down() { shut_down(true, nullptr); }

 private:
  using Arguments = std::vector<std::string>;
  struct Call {
    Peer& peer;
    const std::string& seq;
    const Arguments& args;
    std::vector<UniqueFd>& fds;
  };
  struct Verb;
  static const std::map<std::string, Verb>& verbs();

  void on_connection();
  void turn_away();
  void answer(Peer& peer, Request& request, std::vector<UniqueFd> fds);
  void on_closed(Peer& peer);
  void reply(Peer& peer, const std::string& seq, Result<Reply> result);
  void tell(const std::vector<std::string>& event, const std::vector<int>& fds = {});

  Result<Reply> hello(Call call);
  Result<Reply> bind(Call call);
  Result<Reply> fresh(Call call);
  Result<Reply> steer(Call call);
  Result<Reply> spawn(Call call);
  Result<Reply> arm(Call call);
  Result<Reply> disarm(Call call);
  Result<Reply> watch(Call call);
  Result<Reply> call_up(Call call);
  Result<Reply> signal(Call call);
  Result<Reply> strays(Call call);
  Result<Reply> forget(Call call);
  Result<Reply> relay(Call call);
  Result<Reply> fetch(Call call);
  Result<Reply> claim(Call call);
  Result<Reply> store(Call call);
  Result<Reply> adopt(Call call);
  Result<Reply> drop(Call call);

  // Connections that go from one generation to the next: moves.cc.
  Result<Reply> receive(Call call);
  Result<Reply> park(Call call);
  Result<Reply> take(Call call);
  Result<Reply> pass(Call call);
  Result<Reply> drain(Call call);
  /// A program of a generation that takes what is parked of one of its sockets, and lets go when it is to drain.
  struct Receiver {
    Peer* peer;
    std::string generation;
    std::string position;
    SpecSlot slot;
  };
  /// What a generation that is to drain has done.
  struct Drain {
    size_t moved = 0;
    bool asked = false;
  };
  /// What a peer took last; kept until it asks again, so that it is not lost with the peer.
  struct Given {
    std::string name;
    std::vector<UniqueFd> connections;
  };
  // What steers at the moment of a save: tripwire.cc.
  Result<Reply> tripwire(Call call);
  /// Readable once a file is another than the one that a generation was started with.
  struct Tripwire {
    UniqueFd files;
    /// The slot that new connections go to then.
    uint32_t index = 0;
    Watch watch;
    /// Its processes stop in the moment of the save.
    bool stops = false;
  };
  void set_stops(const Generation& generation, Tripwire& wire, bool on);
  bool untrip(const std::string& generation);
  [[nodiscard]] bool has_tripped(const std::string& generation) const;
  void trip(const std::string& generation);
  void tell_receivers(const std::string& generation, const std::vector<std::string>& event,
                      const std::vector<int>& fds = {});
  const Receiver* receiver(const Peer& peer, const std::string& position) const;
  bool receives_now(const Receiver& receiver);
  size_t count_receivers(const std::string& name);
  void offer(const std::string& name);
  std::set<pid_t> begin_drain(const std::string& generation);
  void drain_slot(const std::string& name, uint32_t index);
  void forget_peer(Peer& peer);
  void wake_for_parked(const std::string& name);
  void list(Call call);
  void list_generation(Peer& peer, const std::string& seq, const Generation& generation);

  /// A slot that a program asks for by its position among those of its generation.
  struct Claimed {
    const Generation* generation;
    SpecSlot slot;
    HeldSocket* socket;
  };
  /// A program may have what its own generation was started with, and nothing else.
  Result<Claimed> claimed(const Peer& peer, const std::string& position);
  HeldSocket* find_socket(const std::string& name);
  Result<HeldSocket*> find_slot(const std::string& name, const std::string& index);
  Failed enter(std::unique_ptr<HeldSocket> socket);
  /// Who waits in that slot is led to the steered one. Their number.
  Result<size_t> relay_queue(HeldSocket& socket, uint32_t index);
  void on_slot(const std::string& name, uint32_t index, uint32_t events);
  void on_shut(const std::string& name, uint32_t index);
  void revive(const std::string& name);
  void update_interest(const std::string& name);
  [[nodiscard]] bool is_armed(const std::string& name, uint32_t index) const;
  void fire(const std::string& key, const std::string& woken_by);
  Result<const Generation*> start_generation(const Spec& spec);
  void shut_down(bool end_daemon_now, std::function<void()> released);

  Loop& loop_;
  RuntimeFolder folder_;
  UniqueFd listener_;
  Watch listener_watch_;
  Timer clients_wait_;
  /// Said once, until there is one again.
  bool out_of_files_ = false;
  /// Given up when no number is free, so that a client can be turned away instead of waiting for ever.
  UniqueFd spare_;
  DaemonProcess daemon_;
  Generations generations_;
  Relays relays_;
  Parked parked_;
  std::vector<Receiver> receivers_;
  std::map<Peer*, Given> given_;
  std::map<std::string, Drain> drains_;
  std::map<std::string, Tripwire> tripwires_;
  std::map<std::string, std::unique_ptr<HeldSocket>> sockets_;
  std::map<std::string, Armed> armed_;
  /// Slots that were shut down, in that order, until the present batch of events is through.
  std::map<std::string, std::vector<uint32_t>> shut_;
  std::list<std::unique_ptr<Peer>> peers_;
  /// The one that said hello as daemon.
  Peer* daemon_peer_ = nullptr;
  bool shutting_down_ = false;
};

}  // namespace devsock
