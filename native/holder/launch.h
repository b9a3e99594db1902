#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "result.h"

namespace devsock {

/// What a child gets: nothing that is not here.
struct Launch {
  /// The first is looked up in the PATH of `env`, unless it has a slash.
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  /// For stdout and stderr; stdin is /dev/null.
  int log;
  /// At 3, 4, …
  std::vector<int> fds;
  rlimit nofile;
  mode_t umask;
  /// Adds LISTEN_PID, which only the child knows.
  bool listen_pid;
  /// The holder answers bind() for it and its descendants (bind_notifications.h). Sets no_new_privs.
  bool notify_binds = false;
};

struct Child {
  pid_t pid;
  /// Field 22 of /proc/PID/stat.
  uint64_t start;
  /// Where bind() is reported, if that was asked for.
  UniqueFd binds;
};

/// Starts a program as the leader of a session of its own, with default signal handling. Waits until its
/// execve() has succeeded or failed.
Result<Child> launch(const Launch& plan);

/// Opens the file that a child writes to. Only a regular file or a device: a FIFO would wait for its reader.
Result<UniqueFd> open_log(const std::string& path);

}  // namespace devsock
