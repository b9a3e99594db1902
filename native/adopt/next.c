#define _GNU_SOURCE
#include "next.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Before glibc 2.34 it is in a library of its own, which not every process has: then the kernel is called. */
extern void *dlsym(void *handle, const char *name) __attribute__((weak));
#define NEXT ((void *)-1l) /* RTLD_NEXT */

/* The kernel's sigset_t, for pselect6 and ppoll. */
enum { SIGNAL_SET_BYTES = 8 };

static struct {
  __typeof__(next_bind) *bind;
  __typeof__(next_listen) *listen;
  __typeof__(next_shutdown) *shutdown;
  __typeof__(next_connect) *connect;
  __typeof__(next_accept) *accept;
  __typeof__(next_accept4) *accept4;
  __typeof__(next_getsockname) *getsockname;
  __typeof__(next_getpeername) *getpeername;
  __typeof__(next_poll) *poll;
  __typeof__(next_ppoll) *ppoll;
  __typeof__(next_select) *select;
  __typeof__(next_pselect) *pselect;
  __typeof__(next_epoll_ctl) *epoll_ctl;
  __typeof__(next_epoll_wait) *epoll_wait;
  __typeof__(next_epoll_pwait) *epoll_pwait;
  __typeof__(next_chroot) *chroot;
} next;

void find_next(void) {
  if (dlsym == NULL) return;
#define FIND(name) *(void **)&next.name = dlsym(NEXT, #name)
  FIND(bind);
  FIND(listen);
  FIND(shutdown);
  FIND(connect);
  FIND(accept);
  FIND(accept4);
  FIND(getsockname);
  FIND(getpeername);
  FIND(poll);
  FIND(ppoll);
  FIND(select);
  FIND(pselect);
  FIND(epoll_ctl);
  FIND(epoll_wait);
  FIND(epoll_pwait);
  FIND(chroot);
#undef FIND
}

int next_bind(int fd, const struct sockaddr *address, socklen_t size) {
  return next.bind ? next.bind(fd, address, size) : (int)syscall(SYS_bind, fd, address, size);
}

int next_listen(int fd, int backlog) {
  return next.listen ? next.listen(fd, backlog) : (int)syscall(SYS_listen, fd, backlog);
}

int next_shutdown(int fd, int how) {
  return next.shutdown ? next.shutdown(fd, how) : (int)syscall(SYS_shutdown, fd, how);
}

int next_connect(int fd, const struct sockaddr *address, socklen_t size) {
  return next.connect ? next.connect(fd, address, size) : (int)syscall(SYS_connect, fd, address, size);
}

int next_accept(int fd, struct sockaddr *address, socklen_t *size) {
  return next.accept ? next.accept(fd, address, size) : (int)syscall(SYS_accept, fd, address, size);
}

int next_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
  return next.accept4 ? next.accept4(fd, address, size, flags) : (int)syscall(SYS_accept4, fd, address, size, flags);
}

int next_getsockname(int fd, struct sockaddr *address, socklen_t *size) {
  return next.getsockname ? next.getsockname(fd, address, size) : (int)syscall(SYS_getsockname, fd, address, size);
}

int next_getpeername(int fd, struct sockaddr *address, socklen_t *size) {
  return next.getpeername ? next.getpeername(fd, address, size) : (int)syscall(SYS_getpeername, fd, address, size);
}

static struct timespec *from_milliseconds(int ms, struct timespec *time) {
  if (ms < 0) return NULL;
  *time = (struct timespec){ms / 1000, ms % 1000 * 1000000l};
  return time;
}

int next_poll(struct pollfd *fds, nfds_t count, int timeout) {
  struct timespec time;
  if (next.poll) return next.poll(fds, count, timeout);
  return (int)syscall(SYS_ppoll, fds, count, from_milliseconds(timeout, &time), NULL, SIGNAL_SET_BYTES);
}

/* The kernel writes into the timeout what is left of it; the caller's is const. */
int next_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  if (next.ppoll) return next.ppoll(fds, count, timeout, mask);
  struct timespec time = timeout ? *timeout : (struct timespec){0, 0};
  return (int)syscall(SYS_ppoll, fds, count, timeout ? &time : NULL, mask, SIGNAL_SET_BYTES);
}

int next_select(int count, fd_set *readable, fd_set *writable, fd_set *failed, struct timeval *timeout) {
  if (next.select) return next.select(count, readable, writable, failed, timeout);
  struct timespec time = timeout ? (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000l} : (struct timespec){0, 0};
  return (int)syscall(SYS_pselect6, count, readable, writable, failed, timeout ? &time : NULL, NULL);
}

int next_pselect(int count, fd_set *readable, fd_set *writable, fd_set *failed, const struct timespec *timeout,
                 const sigset_t *mask) {
  if (next.pselect) return next.pselect(count, readable, writable, failed, timeout, mask);
  struct timespec time = timeout ? *timeout : (struct timespec){0, 0};
  const struct {
    const sigset_t *mask;
    size_t size;
  } signals = {mask, SIGNAL_SET_BYTES};
  return (int)syscall(SYS_pselect6, count, readable, writable, failed, timeout ? &time : NULL, &signals);
}

int next_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  return next.epoll_ctl ? next.epoll_ctl(epoll, operation, fd, event)
                        : (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int next_chroot(const char *path) { return next.chroot ? next.chroot(path) : (int)syscall(SYS_chroot, path); }

/* The kernel has one call for both, with the size of its set of signals. */
int next_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout) {
  return next.epoll_wait ? next.epoll_wait(epoll, events, room, timeout)
                         : (int)syscall(SYS_epoll_pwait, epoll, events, room, timeout, NULL, SIGNAL_SET_BYTES);
}

int next_epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *mask) {
  return next.epoll_pwait ? next.epoll_pwait(epoll, events, room, timeout, mask)
                          : (int)syscall(SYS_epoll_pwait, epoll, events, room, timeout, mask, SIGNAL_SET_BYTES);
}
