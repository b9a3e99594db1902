#include "loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace devsock {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  close();
  loop_ = std::exchange(other.loop_, nullptr);
  fd_ = other.fd_;
  key_ = other.key_;
  return *this;
}

bool Watch::open(Loop& loop, int fd, uint32_t events, Callback callback) {
  close();
  epoll_event event{};
  event.events = events;
  event.data.u64 = ++loop.last_key_;
  if (::epoll_ctl(loop.epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return false;
  loop_ = &loop;
  fd_ = fd;
  key_ = event.data.u64;
  loop.watches_.emplace(key_, std::make_shared<Callback>(std::move(callback)));
  return true;
}

void Watch::want(uint32_t events) {
  if (loop_ == nullptr) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = key_;
  ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_MOD, fd_, &event);
}

void Watch::close() {
  if (loop_ == nullptr) return;
  ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  loop_->watches_.erase(key_);
  loop_ = nullptr;
}

void Timer::start(milliseconds after) {
  cancel();
  due_ = steady_clock::now() + after;
  running_ = true;
  loop_.timers_.emplace(due_, this);
}

void Timer::cancel() {
  if (!running_) return;
  running_ = false;
  loop_.timers_.erase({due_, this});
}

bool Loop::open() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  return static_cast<bool>(epoll_);
}

void Loop::run() {
  std::array<epoll_event, 256> events;
  while (!stopped_) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_to_next());
    for (int i = 0; i < std::max(count, 0); i++) {
      const auto found = watches_.find(events[i].data.u64);
      if (found == watches_.end()) continue;
      // Kept while it runs: it may end its own watch.
      const std::shared_ptr<Watch::Callback> callback = found->second;
      (*callback)(events[i].events);
    }
    run_timers();
    run_deferred();
  }
}

int Loop::milliseconds_to_next() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - steady_clock::now();
  return static_cast<int>(std::max<int64_t>(0, std::chrono::ceil<milliseconds>(left).count()));
}

void Loop::run_timers() {
  const auto now = steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Timer* timer = timers_.begin()->second;
    timer->cancel();
    timer->callback_();
  }
}

void Loop::run_deferred() {
  while (!deferred_.empty()) {
    const auto tasks = std::exchange(deferred_, {});
    for (const auto& task : tasks) task();
  }
}

}  // namespace devsock
