/* Readiness as programs show it: a program that listens is ready when it waits for connections, or takes one. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"
#include "next.h"

/* glibc declares the array of poll() as only written to; its events are read. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

/* Descriptors that are looked at before a process is taken to be none that listens: each costs an fstat(). */
enum { LOOKS = 256 };

static atomic_int looks = LOOKS;

void expect_attention(void) { looks = LOOKS; }

static bool is_attentive(void) { return slot_count > 0 && looks > 0; }

void attend(int fd) {
  if (!is_attentive() || fd < 0) return;
  const int before = errno;
  const int position = slot_of(fd);
  if (position < 0) {
    looks--;
  } else if (atomic_exchange(&looks, 0) > 0) {
    report("accepting", position, fd, "");
  }
  errno = before;
}

static void attend_polled(const struct pollfd *fds, nfds_t count) {
  for (nfds_t i = 0; i < count && is_attentive(); i++) {
    if ((fds[i].events & POLLIN) != 0) attend(fds[i].fd);
  }
}

static void attend_selected(int count, const fd_set *readable) {
  for (int fd = 0; readable != NULL && fd < count && is_attentive(); fd++) {
    if (FD_ISSET(fd, readable)) attend(fd);
  }
}

EXPORTED int poll(struct pollfd *fds, nfds_t count, int timeout) {
  attend_polled(fds, count);
  return next_poll(fds, count, timeout);
}

EXPORTED int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  attend_polled(fds, count);
  return next_ppoll(fds, count, timeout, mask);
}

/* What poll() and ppoll() become under _FORTIFY_SOURCE, as distributions build. The size was checked for a constant
 * array; the check itself is made here. */
EXPORTED int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size) {
  if (size / sizeof *fds < count) __builtin_trap();
  return poll(fds, count, timeout);
}

EXPORTED int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                         size_t size) {
  if (size / sizeof *fds < count) __builtin_trap();
  return ppoll(fds, count, timeout, mask);
}

EXPORTED int select(int count, fd_set *readable, fd_set *writable, fd_set *failed, struct timeval *timeout) {
  attend_selected(count, readable);
  return next_select(count, readable, writable, failed, timeout);
}

EXPORTED int pselect(int count, fd_set *readable, fd_set *writable, fd_set *failed, const struct timespec *timeout,
                     const sigset_t *mask) {
  attend_selected(count, readable);
  return next_pselect(count, readable, writable, failed, timeout, mask);
}

EXPORTED int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  if (operation != EPOLL_CTL_DEL && event != NULL && (event->events & EPOLLIN) != 0) attend(fd);
  return next_epoll_ctl(epoll, operation, fd, event);
}

/* An event loop may register its listener by io_uring, where nobody sees it, as libuv does in Node 22 and later. */
static void attend_listeners(void) {
  for (int position = 0; position < slot_count && is_attentive(); position++) {
    if (slots[position].listener > 0) attend(slots[position].listener - 1);
  }
}

EXPORTED int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout) {
  attend_listeners();
  return next_epoll_wait(epoll, events, room, timeout);
}

EXPORTED int epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *mask) {
  attend_listeners();
  return next_epoll_pwait(epoll, events, room, timeout, mask);
}
