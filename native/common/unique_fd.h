#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace devsock {

/// One owned file descriptor: moved, never copied, closed once.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  /// Gives the number away: the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  /// Closes what is owned, then owns `fd`. Keeps errno, so that it may run on the way out of a failed call.
  void reset(int fd = -1) noexcept {
    const int saved = errno;
    // Never again on EINTR: on Linux the number is free by then, and may already be somebody else's.
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    errno = saved;
  }

  /// A close-on-exec duplicate, never 0, 1 or 2; invalid, with errno set, when it cannot be made.
  [[nodiscard]] UniqueFd duplicate() const noexcept { return UniqueFd(::fcntl(fd_, F_DUPFD_CLOEXEC, 3)); }

 private:
  int fd_ = -1;
};

}  // namespace devsock
