#include "slices.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace devsock {

namespace {

/// What struct sched_attr is in sched_setattr(2); glibc has it only since 2.41.
struct SchedulerAttributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

/// SCHED_FLAG_RESET_ON_FORK
constexpr uint64_t kResetOnFork = 1;
/// Nanoseconds. Less is raised to that.
constexpr uint64_t kShortest = 100'000;

}  // namespace

void ask_for_short_slices() {
  SchedulerAttributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  // Whoever gave it another policy, or a priority that a reset takes from children, knows better.
  if (attributes.policy != SCHED_OTHER || attributes.nice < 0) return;
  attributes.flags = kResetOnFork;
  attributes.runtime = kShortest;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace devsock
