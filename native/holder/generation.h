#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "bind_notifications.h"
#include "loop.h"
#include "notify_socket.h"
#include "process_table.h"
#include "result.h"
#include "spare.h"
#include "spec.h"

namespace devsock {

/// One run of a service's command. Its leader's pid is also the number of its group and session.
struct Generation {
  enum class Phase { running, exited, gone };

  std::string id;
  std::string invocation;
  pid_t pid = 0;
  uint64_t start = 0;
  Phase phase = Phase::running;
  /// One of them, once it has exited; neither where the status could not be known.
  std::optional<int> code;
  std::optional<int> signal;
  bool ready = false;
  /// What it was started with: fd 3, 4 … in this order; and what its programs may claim.
  std::vector<SpecSlot> slots;
  /// Once the leader has exited: members of its group, and strays, that go on.
  size_t left = 0;
  NotifySocket notify;
  /// Where slots say so.
  BindNotifications binds;
  /// Our end, while it may wait to be called: should the holder go, so does it.
  UniqueFd standby;
  bool called = false;

  /// Ended, and not reaped while its group has members: the zombie keeps the group's number from being given to
  /// others.
  bool pinned = false;
  /// `exited` has been reported.
  bool announced = false;
  /// Another holder started it: it is nobody's child here.
  bool adopted = false;
  /// While an adopted one runs.
  UniqueFd pidfd;
  Watch exit_watch;

  /// Whether the group's number is its own for certain.
  [[nodiscard]] bool holds_group() const { return phase == Phase::running || pinned; }
  /// What the next holder needs of it: its notify socket, and where its binds are reported.
  [[nodiscard]] std::vector<int> fds() const;
};

/// What a generation gets that its spec does not name: what the holder itself was started with.
struct Defaults {
  rlimit nofile;
  mode_t umask;
};

/// Whom a signal goes to.
enum class Scope { leader, group, all };

/// Every generation, from its start until the daemon forgets it.
class Generations {
 public:
  struct Events {
    std::function<void(const Generation&)> exited;
    std::function<void(const Generation&)> gone;
    std::function<void(const Generation&)> ready;
    std::function<void(const Generation&, const std::string& payload)> notify;
    /// The listener that a bind() is answered with; -1: there is none.
    std::function<int(const SpecSlot&)> listener;
  };

  /// `waited_elsewhere` tells which children are not to be waited for here.
  Generations(Loop& loop, std::string notify_folder, Defaults defaults, Events events,
              std::function<bool(pid_t)> waited_elsewhere);

  /// `slots` are the listeners that the spec names, in its order. An id that is known starts nothing: a spawn may be
  /// repeated, and may cross an armed spec that has just fired.
  Result<const Generation*> spawn(const Spec& spec, std::vector<int> slots);
  /// Takes over what another holder started, with those of its fds() that are known. ESRCH when nothing of it is
  /// left.
  Failed adopt(Generation known, std::vector<UniqueFd> fds);
  /// Lets one that was started ahead go on, once and for all. EAGAIN while it has not come to wait; ESRCH where nobody
  /// waits: it was started by another holder, or has gone.
  Failed call(const std::string& id);
  /// The number of processes that were signalled; ESRCH when the generation has gone.
  Result<size_t> signal(const std::string& id, int number, Scope scope);
  /// SIGCONT to the group, without a look at who is in it.
  static void go_on(const Generation& generation);
  /// Living descendants outside of the group.
  Result<std::vector<pid_t>> strays(const std::string& id);
  /// EBUSY while anything of it is left.
  Failed forget(const std::string& id);

  /// To be called on SIGCHLD: waits for every child that has ended.
  void collect();
  /// SIGKILL for everything; calls `done` when nothing is left, or after five seconds all the same.
  void kill_all(std::function<void()> done);

  [[nodiscard]] const Generation* find(const std::string& id) const;
  /// Whose process that is: by its group, or where it left that, by its environment; nullptr when it is nobody's.
  [[nodiscard]] const Generation* owner(pid_t pid) const;
  [[nodiscard]] const std::map<std::string, std::unique_ptr<Generation>>& all() const { return all_; }

 private:
  using Table = std::vector<Process>;

  Result<Table> look();
  Failed enter(std::unique_ptr<Generation> generation);
  Generation* entry(const std::string& id);
  void on_bind(Generation& generation, const BindNotifications::Bind& bind);
  void on_notify(Generation& generation, pid_t sender, const std::string& payload);
  void on_exit(Generation& generation, std::optional<int> status);
  void settle();
  size_t reap_orphans();
  [[nodiscard]] bool any_unsettled() const;
  void kill_again();

  Loop& loop_;
  std::string notify_folder_;
  Defaults defaults_;
  Events events_;
  std::map<std::string, std::unique_ptr<Generation>> all_;
  std::function<bool(pid_t)> waited_elsewhere_;
  /// Not every end is announced: a group's last member may be somebody else's child.
  Timer backstop_;
  Timer kill_timer_;
  Spare spare_;
  std::function<void()> all_killed_;
  std::chrono::steady_clock::time_point kill_deadline_{};
};

}  // namespace devsock
