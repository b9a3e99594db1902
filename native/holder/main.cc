// devsock-holder: keeps sockets and the programs behind them. See ARCHITECTURE.md.

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "holder.h"
#include "log.h"
#include "slices.h"
#include "text.h"

namespace devsock {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
/// The folder is not one to trust, or its path is too long.
constexpr int kExitFolder = 3;
/// Another holder, or its daemon, has the lock.
constexpr int kExitLocked = 10;

constexpr off_t kLogBytes = 1 << 20;

struct Options {
  std::string runtime;
  std::string log;
  int lock = -1;
  bool adopt = false;
  std::vector<std::string> daemon;
};

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string_view name = argv[i];
    const bool last = i + 1 == argc;
    if (name == "--adopt") {
      options.adopt = true;
    } else if (name == "--runtime" && !last) {
      options.runtime = argv[++i];
    } else if (name == "--log" && !last) {
      options.log = argv[++i];
    } else if (name == "--lock-fd" && !last) {
      const auto number = parse_number<int>(argv[++i]);
      if (!number || *number < 3) return std::nullopt;
      options.lock = *number;
    } else if (name == "--") {
      options.daemon.assign(argv + i + 1, argv + argc);
      break;
    } else {
      return std::nullopt;
    }
  }
  while (options.runtime.size() > 1 && options.runtime.ends_with('/')) options.runtime.pop_back();
  if (!options.runtime.starts_with('/') || !options.log.starts_with('/') || options.daemon.empty()) return std::nullopt;
  return options;
}

int complain(const Error& error, int status) {
  std::fprintf(stderr, "devsock-holder: %s (%s)\n", error.message.c_str(), error.call.c_str());
  return status;
}

/// stdin, stdout and stderr leave the caller's terminal or pipes; from here on stderr is the log.
Failed move_stdio(const UniqueFd& log) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null || ::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(log.get(), STDOUT_FILENO) < 0 ||
      ::dup2(log.get(), STDERR_FILENO) < 0) {
    return failed("dup2", "stdio");
  }
  return std::nullopt;
}

/// The environment of the daemon: this process's, without what was meant for this process alone.
std::vector<std::string> daemon_environment() {
  constexpr std::string_view dropped[] = {"LISTEN_",          "NOTIFY_SOCKET=",      "NODE_CHANNEL_FD=",
                                          "DEVSOCK_LOCK_FD=", "DEVSOCK_HOLDER_PID=", "DEVSOCK_INVOCATION="};
  std::vector<std::string> env;
  for (char** each = environ; *each != nullptr; each++) {
    bool kept = true;
    for (const std::string_view name : dropped) kept = kept && !std::string_view(*each).starts_with(name);
    if (kept) env.emplace_back(*each);
  }
  env.push_back("DEVSOCK_LOCK_FD=3");
  env.push_back("DEVSOCK_HOLDER_PID=" + std::to_string(::getpid()));
  return env;
}

/// Blocks the signals that the loop reads from a descriptor.
UniqueFd open_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGCHLD);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

/// Begins a new log where there is much of it; the one before is kept, with a `~`. Nobody writes to it by now: the lock
/// is ours, and a daemon that goes on (--adopt) has it still.
void set_aside(const std::string& log) {
  struct stat info{};
  if (::stat(log.c_str(), &info) == 0 && info.st_size > kLogBytes) ::rename(log.c_str(), (log + "~").c_str());
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) {
    std::fputs("usage: devsock-holder --runtime DIR --log FILE [--lock-fd N] [--adopt] -- DAEMON ARGUMENT…\n"
               "       (DIR and FILE absolute; runs in /)\n",
               stderr);
    return kExitUsage;
  }
  Defaults defaults{{}, ::umask(077)};
  if (::getrlimit(RLIMIT_NOFILE, &defaults.nofile) != 0) return complain(failed("getrlimit", "nofile"), kExitFailed);
  const rlimit raised{defaults.nofile.rlim_max, defaults.nofile.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  // Whatever the caller left open goes no further than here. Linux 5.11; before it, callers open close-on-exec.
  ::syscall(SYS_close_range, 3u, UINT_MAX, CLOSE_RANGE_CLOEXEC);
  ::setsid();  // fails where it is a session already
  ask_for_short_slices();

  auto folder = RuntimeFolder::claim(options->runtime, options->lock);
  if (!folder) {
    const bool locked = folder.error().number == EWOULDBLOCK;
    return complain(folder.error(), locked ? kExitLocked : kExitFolder);
  }
  auto listener = folder->listen();
  if (!listener) return complain(listener.error(), kExitFolder);
  if (!options->adopt) set_aside(options->log);
  auto log = open_log(options->log);
  if (!log) return complain(log.error(), kExitFailed);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return complain(failed("prctl", "subreaper"), kExitFailed);
  if (::chdir("/") != 0) return complain(failed("chdir", "/"), kExitFailed);

  Loop loop;
  const UniqueFd signals = open_signals();
  if (!signals || !loop.open()) return complain(failed("signalfd or epoll_create1", "loop"), kExitFailed);
  Launch daemon{.args = options->daemon,
                .env = daemon_environment(),
                .cwd = "/",
                .log = log->get(),
                .fds = {folder->lock().get()},
                .nofile = defaults.nofile,
                .umask = defaults.umask,
                .listen_pid = false};
  Holder holder(loop, std::move(*folder), std::move(*listener), std::move(daemon), defaults);
  Watch signal_watch;
  const auto on_signal = [&](uint32_t) {
    signalfd_siginfo info;
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGTERM) holder.shut_down();
      else holder.on_child();
    }
  };
  if (!signal_watch.open(loop, signals.get(), EPOLLIN, on_signal)) {
    return complain(failed("epoll_ctl", "loop"), kExitFailed);
  }
  if (auto error = move_stdio(*log)) return complain(*error, kExitFailed);
  log_line("started");
  if (auto error = holder.start(options->adopt)) {
    log_line("cannot start: " + error->message);
    return kExitFailed;
  }
  loop.run();
  return 0;
}

}  // namespace
}  // namespace devsock

int main(int argc, char** argv) { return devsock::run(argc, argv); }
