#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "../common/unique_fd.h"
#include "loop.h"
#include "result.h"

namespace devsock {

/// In a child, before execve(): from now on every bind() of this process and its descendants, and nothing else, waits
/// for an answer at the descriptor that this returns (seccomp_unotify(2)); -1 with errno. Sets no_new_privs.
/// Async-signal-safe.
int notify_binds();

/// The bind() calls of one generation, for programs that do not make them through libc. Each is asked about, and has
/// to be answered at once by give() or leave(): its thread waits.
class BindNotifications {
 public:
  /// A bind() of a TCP socket to a port.
  struct Bind {
    uint64_t id;
    /// The process; seccomp itself names the thread.
    pid_t pid;
    int fd;
    uint16_t port;
    bool loopback;
    /// Its file status flags, and O_CLOEXEC: what /proc/PID/fdinfo has.
    int flags;
    /// A duplicate of the socket that the program made.
    UniqueFd socket;
  };
  using Asked = std::function<void(const Bind&)>;

  BindNotifications() = default;
  /// `fd` is what notify_binds() returned, or a duplicate of it.
  explicit BindNotifications(UniqueFd fd) : fd_(std::move(fd)) {}
  /// Whether a descriptor is one of these.
  static bool is(int fd);

  /// Does nothing where there is no descriptor. Binds of anything else go on as if nobody had asked.
  Failed watch(Loop& loop, Asked asked);
  /// Puts a duplicate of `listener` in the place of the program's descriptor, with its flags, and lets bind() succeed.
  /// False where that cannot be done: the bind has no answer yet then.
  bool give(const Bind& bind, int listener);
  /// The kernel goes on with it.
  void leave(const Bind& bind) { go_on(bind.id); }

  /// -1: there is none, or nobody is left who could bind.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  void receive(const Asked& asked);
  void go_on(uint64_t id);
  [[nodiscard]] bool is_waiting(uint64_t id) const;

  UniqueFd fd_;
  Watch watch_;
};

/// Whether the program asked to be reached from other machines, and `listener` is of this machine only.
bool is_narrowed(int listener, const BindNotifications::Bind& bind);

}  // namespace devsock
