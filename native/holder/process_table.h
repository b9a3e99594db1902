#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../common/unique_fd.h"

namespace devsock {

/// One row of /proc/PID/stat (proc_pid_stat(5)).
struct Process {
  pid_t pid;
  char state;
  pid_t parent;
  pid_t group;
  /// Clock ticks since boot, field 22: with the pid, the identity of a process.
  uint64_t start;
  /// As wait(2) gives it; 0 where it may not be known.
  int exit_code;

  [[nodiscard]] bool alive() const { return state != 'Z' && state != 'X'; }
};

/// Nothing where no such process is.
std::optional<Process> read_process(pid_t pid);

/// All processes, those too that have ended and wait for their parent. Nothing, with errno set, where they cannot be
/// seen: no descriptor is free.
std::optional<std::vector<Process>> read_processes();

/// Children of this process, those too that have ended. None of them is left out: a child leaves the list when it is
/// waited for, and a new one is added at its end. Nothing where they cannot be seen.
std::optional<std::vector<pid_t>> read_children();

/// Whether a process was started with DEVSOCK_INVOCATION=`invocation`. False where its environment is not ours to
/// read.
bool has_invocation(pid_t pid, const std::string& invocation);

/// Names a process for good, whatever becomes of its pid; invalid, with errno set, where there is none.
UniqueFd open_pidfd(pid_t pid);

/// 0 or an errno.
int send_signal(int pidfd, int signal);

/// The wait(2) status of a process that has ended and is not our child, where it can still be known.
std::optional<int> exit_status(int pidfd, pid_t pid, uint64_t start);

}  // namespace devsock
