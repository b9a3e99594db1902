#include "daemon_process.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>

#include "log.h"
#include "process_table.h"

namespace devsock {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kFirstDelay = 100ms;
constexpr std::chrono::milliseconds kLongestDelay = 5s;
/// One that lived this long did not fail at its start.
constexpr auto kGoodLife = 10s;
constexpr auto kLeave = 10s;
constexpr auto kTermGrace = 5s;

std::string describe(int status) {
  if (WIFEXITED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  return "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

DaemonProcess::DaemonProcess(Loop& loop, Launch plan)
    : loop_(loop),
      plan_(std::move(plan)),
      restart_(loop, [this] { start(); }),
      press_(loop, [this] { press(); }) {}

void DaemonProcess::start() {
  started_ = steady_clock::now();
  auto child = launch(plan_);
  if (!child) return on_end(child.error().call + " " + child.error().message);
  pid_ = child->pid;
  log_line("daemon " + std::to_string(pid_) + " started");
}

void DaemonProcess::adopt(pid_t pid) {
  if (running() || gone_) return;
  pidfd_ = open_pidfd(pid);
  const auto on_exit = [this](uint32_t) {
    watch_.close();
    pidfd_.reset();
    on_end("it was adopted, its status is not known");
  };
  if (!pidfd_ || !watch_.open(loop_, pidfd_.get(), EPOLLIN, on_exit)) return;
  restart_.cancel();
  started_ = steady_clock::now();
  pid_ = pid;
  log_line("daemon " + std::to_string(pid) + " goes on with this holder");
}

void DaemonProcess::start_unless_adopted_within(std::chrono::milliseconds time) { restart_.start(time); }

void DaemonProcess::collect() {
  int status = 0;
  if (!running() || pidfd_ || ::waitpid(pid_, &status, WNOHANG) != pid_) return;
  on_end(describe(status));
}

void DaemonProcess::on_end(const std::string& how) {
  pid_ = 0;
  if (gone_) {
    press_.cancel();
    return std::exchange(gone_, nullptr)();
  }
  if (steady_clock::now() - started_ >= kGoodLife) delay_ = 0ms;
  log_line("daemon ended (" + how + "); it starts again " +
           (delay_ == 0ms ? "at once" : "in " + std::to_string(delay_.count()) + " ms"));
  restart_.start(delay_);
  delay_ = std::clamp<std::chrono::milliseconds>(delay_ * 2, kFirstDelay, kLongestDelay);
}

void DaemonProcess::end(bool now, std::function<void()> gone) {
  restart_.cancel();
  if (!running()) return gone();
  gone_ = std::move(gone);
  signals_left_ = {SIGKILL, SIGTERM};
  if (now) press();
  else press_.start(kLeave);
}

void DaemonProcess::press() {
  if (signals_left_.empty() || !running()) return;
  const int number = signals_left_.back();
  signals_left_.pop_back();
  if (pidfd_) send_signal(pidfd_.get(), number);
  else ::kill(pid_, number);
  press_.start(kTermGrace);
}

}  // namespace devsock
