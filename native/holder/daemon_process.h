#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "launch.h"
#include "loop.h"

namespace devsock {

/// The daemon: started, watched, started again when it ends; at once the first time, then later and later.
class DaemonProcess {
 public:
  DaemonProcess(Loop& loop, Launch plan);

  void start();
  /// A daemon that lives already, from before this holder: it is no child, so a pidfd watches it.
  void adopt(pid_t pid);
  /// Starts one if none has been adopted in time.
  void start_unless_adopted_within(std::chrono::milliseconds time);
  /// To be called on SIGCHLD.
  void collect();
  /// Never starts one again; calls `gone` when it has ended, helped along by SIGTERM (at once with `now`, else
  /// after ten seconds) and SIGKILL.
  void end(bool now, std::function<void()> gone);

  [[nodiscard]] bool is(pid_t pid) const { return running() && pid == pid_; }
  [[nodiscard]] bool running() const { return pid_ != 0; }

 private:
  void on_end(const std::string& how);
  void press();

  Loop& loop_;
  Launch plan_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  Watch watch_;
  std::chrono::steady_clock::time_point started_{};
  std::chrono::milliseconds delay_{0};
  Timer restart_;
  Timer press_;
  std::vector<int> signals_left_;
  std::function<void()> gone_;
};

}  // namespace devsock
