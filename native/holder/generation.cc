// Longer than 400 lines: one life, from its fork to the last stray of its group.
#include "generation.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "launch.h"
#include "text.h"

namespace devsock {

namespace {

using namespace std::chrono_literals;

constexpr auto kBackstop = 250ms;
constexpr auto kKillAgain = 20ms;
constexpr auto kKillDeadline = 5s;

/// What only the holder may say to a child; NODE_CHANNEL_FD names a descriptor that the child has not.
constexpr std::array<std::string_view, 8> kReserved = {"LISTEN_PID=",    "LISTEN_FDS=",         "LISTEN_FDNAMES=",
                                                       "NOTIFY_SOCKET=", "DEVSOCK_INVOCATION=", "NODE_CHANNEL_FD=",
                                                       "DEVSOCK_SLOTS=",  "DEVSOCK_STANDBY="};

/// The inode of each slot: by it a program below wrappers knows whether a descriptor that it finds is the slot.
std::string inodes_of(const std::vector<int>& slots) {
  std::string inodes;
  for (const int fd : slots) {
    struct stat info{};
    ::fstat(fd, &info);
    inodes += (inodes.empty() ? "" : ",") + std::to_string(info.st_ino);
  }
  return inodes;
}

std::vector<std::string> environment_of(const Spec& spec, const std::vector<int>& slots,
                                        const std::string& notify_path) {
  std::vector<std::string> env = {"DEVSOCK_INVOCATION=" + spec.invocation, "NOTIFY_SOCKET=" + notify_path};
  if (!spec.slots.empty()) {
    std::string names;
    for (const SpecSlot& slot : spec.slots) names += (names.empty() ? "" : ":") + slot.fd_name;
    env.push_back("LISTEN_FDS=" + std::to_string(spec.slots.size()));
    env.push_back("LISTEN_FDNAMES=" + names);
    env.push_back("DEVSOCK_SLOTS=" + inodes_of(slots));
  }
  // Behind the slots.
  if (spec.standby) env.push_back("DEVSOCK_STANDBY=" + std::to_string(3 + slots.size()));
  for (const std::string& each : spec.env) {
    const auto names_it = [&](std::string_view name) { return each.starts_with(name); };
    if (std::none_of(kReserved.begin(), kReserved.end(), names_it)) env.push_back(each);
  }
  return env;
}

/// The holder's own hard limit is the most that it can give.
rlimit within_own_limit(rlimit wanted) {
  rlimit own;
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0) return wanted;
  return {std::min(wanted.rlim_cur, own.rlim_max), std::min(wanted.rlim_max, own.rlim_max)};
}

bool in_group(const Process& process, const Generation& generation) {
  if (process.group != generation.pid || !process.alive()) return false;
  return generation.holds_group() || has_invocation(process.pid, generation.invocation);
}

/// A living descendant outside of the group.
bool is_stray(const Process& process, const Generation& generation) {
  // What is older is no descendant: most of the table is not even looked at.
  return process.alive() && process.start >= generation.start && process.group != generation.pid &&
         has_invocation(process.pid, generation.invocation);
}

template <class Test>
std::vector<pid_t> pids_where(const std::vector<Process>& table, const Generation& generation, Test test) {
  std::vector<pid_t> pids;
  for (const Process& process : table) {
    if (test(process, generation)) pids.push_back(process.pid);
  }
  return pids;
}

/// How many of `pids` were signalled. They are this generation's by their environment alone, so each is opened
/// first and then looked at again: the pid may have become another process's.
size_t signal_each(const std::vector<pid_t>& pids, const Generation& generation, int number) {
  return static_cast<size_t>(std::count_if(pids.begin(), pids.end(), [&](pid_t pid) {
    const UniqueFd pidfd = open_pidfd(pid);
    return pidfd && has_invocation(pid, generation.invocation) && send_signal(pidfd.get(), number) == 0;
  }));
}

size_t signal_group(const std::vector<Process>& table, const Generation& generation, int number) {
  const std::vector<pid_t> members = pids_where(table, generation, in_group);
  if (!generation.holds_group()) return signal_each(members, generation, number);
  return !members.empty() && ::kill(-generation.pid, number) == 0 ? members.size() : 0;
}

size_t signal_strays(const std::vector<Process>& table, const Generation& generation, int number) {
  return signal_each(pids_where(table, generation, is_stray), generation, number);
}

/// What goes on of a generation whose leader has ended.
struct Left {
  size_t members = 0;
  size_t strays = 0;
};

Left left_in(const std::vector<Process>& table, const Generation& generation) {
  return {pids_where(table, generation, in_group).size(), pids_where(table, generation, is_stray).size()};
}

bool answers_binds(const std::vector<SpecSlot>& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const SpecSlot& slot) { return slot.binds != 0; });
}

bool says_ready(std::string_view payload) {
  const auto lines = split(payload, '\n');
  return std::find(lines.begin(), lines.end(), "READY=1") != lines.end();
}

Error no_such(const std::string& id) { return {ENOENT, "find", "no generation " + id}; }

}  // namespace

std::vector<int> Generation::fds() const {
  std::vector<int> fds = notify.fds();
  if (binds.fd() >= 0) fds.push_back(binds.fd());
  return fds;
}

Generations::Generations(Loop& loop, std::string notify_folder, Defaults defaults, Events events,
                         std::function<bool(pid_t)> waited_elsewhere)
    : loop_(loop),
      notify_folder_(std::move(notify_folder)),
      defaults_(defaults),
      events_(std::move(events)),
      waited_elsewhere_(std::move(waited_elsewhere)),
      backstop_(loop, [this] { collect(); }),
      kill_timer_(loop, [this] { kill_again(); }) {}

Generation* Generations::entry(const std::string& id) {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : found->second.get();
}

const Generation* Generations::find(const std::string& id) const {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : found->second.get();
}

const Generation* Generations::owner(pid_t pid) const {
  const auto process = read_process(pid);
  if (!process || !process->alive()) return nullptr;
  for (const auto& [id, generation] : all_) {
    if (process->group == generation->pid && in_group(*process, *generation)) return generation.get();
  }
  for (const auto& [id, generation] : all_) {
    if (is_stray(*process, *generation)) return generation.get();
  }
  return nullptr;
}

Result<const Generation*> Generations::spawn(const Spec& spec, std::vector<int> slots) {
  if (const Generation* known = find(spec.id)) return known;
  auto log = open_log(spec.log);
  if (!log) return log.error();
  auto notify = NotifySocket::bind(notify_folder_);
  if (!notify) return notify.error();
  std::vector<std::string> env = environment_of(spec, slots, notify->path());
  UniqueFd standby, theirs;
  if (spec.standby) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      const Error error = failed("socketpair", spec.id);
      notify->remove();
      return error;
    }
    standby = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
    slots.push_back(theirs.get());
  }
  auto child = launch({.args = spec.args,
                       .env = std::move(env),
                       .cwd = spec.cwd,
                       .log = log->get(),
                       .fds = std::move(slots),
                       .nofile = within_own_limit(spec.nofile.value_or(defaults_.nofile)),
                       .umask = spec.umask.value_or(defaults_.umask),
                       .listen_pid = !spec.slots.empty(),
                       .notify_binds = answers_binds(spec.slots)});
  if (!child) {
    notify->remove();
    return child.error();
  }
  auto generation = std::make_unique<Generation>();
  generation->id = spec.id;
  generation->invocation = spec.invocation;
  generation->pid = child->pid;
  generation->start = child->start;
  generation->slots = spec.slots;
  generation->notify = std::move(*notify);
  if (child->binds) generation->binds = BindNotifications(std::move(child->binds));
  generation->standby = std::move(standby);
  Generation* entered = generation.get();
  if (auto error = enter(std::move(generation))) {
    ::kill(-child->pid, SIGKILL);
    return *error;
  }
  return static_cast<const Generation*>(entered);
}

Failed Generations::adopt(Generation known, std::vector<UniqueFd> fds) {
  if (find(known.id) != nullptr) return Error{EEXIST, "adopt", "there is a generation " + known.id};
  auto generation = std::make_unique<Generation>(std::move(known));
  generation->adopted = true;
  for (UniqueFd& fd : fds) {
    if (BindNotifications::is(fd.get())) {
      generation->binds = BindNotifications(std::move(fd));
      continue;
    }
    auto socket = NotifySocket::store(std::move(fd));
    if (!socket) return socket.error();
    generation->notify = std::move(*socket);
  }
  generation->pidfd = open_pidfd(generation->pid);
  // Looked at after the pidfd is open: what has this start time now is what the pidfd names.
  const auto process = read_process(generation->pid);
  if (!generation->pidfd || !process || process->start != generation->start) {
    generation->pidfd.reset();
    generation->phase = Generation::Phase::exited;
    auto table = look();
    if (!table) return table.error();
    const Left left = left_in(*table, *generation);
    if (left.members + left.strays == 0) return Error{ESRCH, "adopt", generation->id + ": nothing of it is left"};
  }
  return enter(std::move(generation));
}

Failed Generations::enter(std::unique_ptr<Generation> owned) {
  Generation& generation = *owned;
  const std::string id = generation.id;
  if (generation.phase != Generation::Phase::running) loop_.defer([this] { collect(); });
  if (auto error = generation.notify.watch(loop_, [this, &generation](pid_t sender, const std::string& payload) {
        on_notify(generation, sender, payload);
      })) {
    return error;
  }
  if (auto error = generation.binds.watch(loop_, [this, &generation](const auto& bind) {
        on_bind(generation, bind);
      })) {
    return error;
  }
  if (generation.pidfd) {
    const auto on_end = [this, &generation](uint32_t) {
      generation.exit_watch.close();
      on_exit(generation, exit_status(generation.pidfd.get(), generation.pid, generation.start));
      settle();
    };
    const bool watching = generation.exit_watch.open(loop_, generation.pidfd.get(), EPOLLIN, on_end);
    if (!watching) return failed("epoll_ctl", id);
  }
  all_.emplace(id, std::move(owned));
  return std::nullopt;
}

/// Told as the preload library tells it: the daemon need not know more.
void Generations::on_bind(Generation& generation, const BindNotifications::Bind& bind) {
  const auto& slots = generation.slots;
  const auto slot = std::find_if(slots.begin(), slots.end(), [&](const SpecSlot& each) {
    return each.binds != 0 && each.binds == bind.port;
  });
  const int listener = slot == slots.end() ? -1 : events_.listener(*slot);
  if (listener < 0 || !generation.binds.give(bind, listener)) return generation.binds.leave(bind);
  const auto position = std::to_string(slot - slots.begin());
  events_.notify(generation, "X_DEVSOCK=bound " + position + ' ' + std::to_string(bind.pid) + ' ' +
                                 std::to_string(bind.fd) + " kernel" + (is_narrowed(listener, bind) ? " narrowed" : ""));
}

void Generations::on_notify(Generation& generation, pid_t sender, const std::string& payload) {
  // A systemd-notify that has ended by now is believed: the socket itself is the generation's. What still lives
  // must belong to it.
  const auto process = sender > 0 ? read_process(sender) : std::nullopt;
  if (process && process->alive() && !in_group(*process, generation) && !is_stray(*process, generation)) return;
  if (says_ready(payload) && !generation.ready) {
    generation.ready = true;
    events_.ready(generation);
  }
  events_.notify(generation, payload);
}

Failed Generations::call(const std::string& id) {
  Generation* generation = entry(id);
  if (generation == nullptr) return no_such(id);
  if (generation->called) return std::nullopt;
  if (!generation->standby || generation->phase != Generation::Phase::running) {
    return Error{ESRCH, "call", id + " does not wait"};
  }
  // One byte from it: it waits. One byte to it: it goes on.
  char byte = 0;
  const int socket = generation->standby.get();
  const ssize_t size = ::recv(socket, &byte, 1, MSG_DONTWAIT);
  if (size != 1) return failed("recv", id, size == 0 ? ESRCH : errno);
  if (::send(socket, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) return failed("send", id);
  generation->called = true;
  generation->standby.reset();
  return std::nullopt;
}

Result<size_t> Generations::signal(const std::string& id, int number, Scope scope) {
  Generation* generation = entry(id);
  if (generation == nullptr) return no_such(id);
  if (generation->phase == Generation::Phase::gone) return Error{ESRCH, "kill", id + " has gone"};
  if (scope == Scope::leader) {
    if (generation->phase != Generation::Phase::running) return size_t{0};
    const int error = generation->pidfd ? send_signal(generation->pidfd.get(), number)
                      : ::kill(generation->pid, number) == 0 ? 0 : errno;
    if (error != 0) return failed("kill", id, error);
    return size_t{1};
  }
  const Spare::Lent lent(spare_);
  auto table = look();
  if (!table) return table.error();
  const size_t members = signal_group(*table, *generation, number);
  return scope == Scope::group ? members : members + signal_strays(*table, *generation, number);
}

void Generations::go_on(const Generation& generation) {
  if (generation.holds_group()) ::kill(-generation.pid, SIGCONT);
}

Result<std::vector<pid_t>> Generations::strays(const std::string& id) {
  const Generation* generation = find(id);
  if (generation == nullptr) return no_such(id);
  const Spare::Lent lent(spare_);
  auto table = look();
  if (!table) return table.error();
  return pids_where(*table, *generation, is_stray);
}

Failed Generations::forget(const std::string& id) {
  Generation* generation = entry(id);
  if (generation == nullptr) return no_such(id);
  if (generation->phase != Generation::Phase::gone) return Error{EBUSY, "forget", id + " has not gone"};
  generation->notify.remove();
  all_.erase(id);
  return std::nullopt;
}

void Generations::collect() {
  for (const auto& [id, generation] : all_) {
    // An adopted one is nobody's child here: its pidfd tells.
    if (generation->phase != Generation::Phase::running || generation->adopted) continue;
    siginfo_t info{};
    const auto pid = static_cast<id_t>(generation->pid);
    if (::waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) continue;
    generation->pinned = true;
    on_exit(*generation, info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status);
  }
  settle();
}

void Generations::on_exit(Generation& generation, std::optional<int> status) {
  generation.phase = Generation::Phase::exited;
  if (!status) return;
  if (WIFEXITED(*status)) generation.code = WEXITSTATUS(*status);
  else generation.signal = WTERMSIG(*status);
}

Result<Generations::Table> Generations::look() {
  auto processes = read_processes();
  if (!processes) return failed("open", "/proc");
  return std::move(*processes);
}

/// Finds out what is left of those whose leader has ended, and tells. Those that nobody can be seen of are looked at
/// again later.
void Generations::settle() {
  const Spare::Lent lent(spare_);
  // Before anything is told: what is reported gone is not even a zombie.
  const size_t orphans = reap_orphans();
  std::optional<Table> table, second;
  const auto left_now = [](std::optional<Table>& seen, const Generation& generation) -> std::optional<Left> {
    if (!seen) seen = read_processes();
    return seen ? std::optional(left_in(*seen, generation)) : std::nullopt;
  };
  for (const auto& [id, generation] : all_) {
    if (generation->phase != Generation::Phase::exited) continue;
    std::optional<Left> left = Left{};
    // Whatever outlives a leader is a child of the holder, or a descendant of one that is.
    if (orphans > 0 || generation->adopted) {
      left = left_now(table, *generation);
      // A process may be born behind the reader's back and its parent gone before the reader comes by: what is
      // missing once is looked for again.
      if (left && left->members + left->strays == 0) left = left_now(second, *generation);
    }
    if (!left) continue;
    generation->left = left->members + left->strays;
    if (!generation->announced) {
      generation->announced = true;
      events_.exited(*generation);
    }
    if (left->members == 0 && generation->pinned) {
      ::waitpid(generation->pid, nullptr, WNOHANG);
      generation->pinned = false;
    }
    if (generation->left != 0) continue;
    generation->phase = Generation::Phase::gone;
    generation->pidfd.reset();
    events_.gone(*generation);
  }
  if (any_unsettled()) backstop_.start(kBackstop);
  else backstop_.cancel();
}

bool Generations::any_unsettled() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const auto& each) { return each.second->phase == Generation::Phase::exited; });
}

/// Waits for every child that is nobody's leader and has ended; how many of them live. Descendants whose own parent
/// has gone become children of the holder (PR_SET_CHILD_SUBREAPER).
size_t Generations::reap_orphans() {
  std::set<pid_t> leaders;
  for (const auto& [id, generation] : all_) {
    if (!generation->adopted && generation->holds_group()) leaders.insert(generation->pid);
  }
  while (true) {
    size_t living = 0;
    bool reaped = false;
    const auto children = read_children();
    // As if there were one: who cannot be seen may live.
    if (!children) return 1;
    for (const pid_t pid : *children) {
      if (leaders.contains(pid) || waited_elsewhere_(pid)) continue;
      if (::waitpid(pid, nullptr, WNOHANG) == pid) reaped = true;
      else living++;
    }
    // The children of one that has ended may have come after the list was read.
    if (!reaped) return living;
  }
}

void Generations::kill_all(std::function<void()> done) {
  all_killed_ = std::move(done);
  kill_deadline_ = std::chrono::steady_clock::now() + kKillDeadline;
  kill_again();
}

/// Again and again, because a process may fork while the table is read.
void Generations::kill_again() {
  const Spare::Lent lent(spare_);
  const auto table = read_processes().value_or(Table{});
  bool any = false;
  for (const auto& [id, generation] : all_) {
    if (generation->phase == Generation::Phase::gone) continue;
    any = true;
    signal_group(table, *generation, SIGKILL);
    signal_strays(table, *generation, SIGKILL);
  }
  if (any && std::chrono::steady_clock::now() < kill_deadline_) return kill_timer_.start(kKillAgain);
  std::exchange(all_killed_, nullptr)();
}

}  // namespace devsock
