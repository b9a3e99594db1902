/* The functions that these here stand before: libc's, or those of another preloaded library. */
#ifndef DEVSOCK_NEXT_H
#define DEVSOCK_NEXT_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

/* Looks all of them up: dlsym(3) is not to be called in a signal handler or after vfork(). */
void find_next(void);

int next_bind(int fd, const struct sockaddr *address, socklen_t size);
int next_listen(int fd, int backlog);
int next_shutdown(int fd, int how);
int next_connect(int fd, const struct sockaddr *address, socklen_t size);
int next_accept(int fd, struct sockaddr *address, socklen_t *size);
int next_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int next_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int next_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int next_poll(struct pollfd *fds, nfds_t count, int timeout);
int next_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int next_select(int count, fd_set *readable, fd_set *writable, fd_set *failed, struct timeval *timeout);
int next_pselect(int count, fd_set *readable, fd_set *writable, fd_set *failed, const struct timespec *timeout,
                 const sigset_t *mask);
int next_chroot(const char *path);
int next_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int next_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
int next_epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *mask);

#endif
