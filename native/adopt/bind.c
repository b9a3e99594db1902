/* bind(), and what a program does to a listener that it takes for its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"
#include "next.h"

/* A libc has them; a program that is not C's may have another stdout, and nobody is hurt. */
extern FILE *stdout __attribute__((weak));
extern int setvbuf(FILE *, char *, int, size_t) __attribute__((weak));
extern int ftrylockfile(FILE *) __attribute__((weak));
extern void funlockfile(FILE *) __attribute__((weak));

/* A server's stdout is a file, so libc would keep its lines until there are 4 KiB of them. */
static void line_buffer_stdout(void) {
  struct stat info;
  if (&stdout == NULL || setvbuf == NULL || ftrylockfile == NULL || funlockfile == NULL) return;
  if (syscall(SYS_fstat, STDOUT_FILENO, &info) != 0 || !S_ISREG(info.st_mode)) return;
  /* After fork() in a program with threads the lock may never be given back. */
  if (ftrylockfile(stdout) != 0) return;
  setvbuf(stdout, NULL, _IOLBF, 0);
  funlockfile(stdout);
}

/* Options that connections have from their listener, as the program set them on the socket that it made. */
static void copy_options(int from, int to) {
  static const int options[][2] = {{SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_NODELAY}};
  for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
    int value = 0;
    socklen_t size = sizeof value;
    if (syscall(SYS_getsockopt, from, options[i][0], options[i][1], &value, &size) == 0) {
      syscall(SYS_setsockopt, to, options[i][0], options[i][1], &value, sizeof value);
    }
  }
}

static bool is_loopback(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) {
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == IN_LOOPBACKNET);
}

/* The program asked to be reached from other machines, and the slot is of this machine only. */
static bool is_narrowed(int slot, const struct sockaddr *asked) {
  if (is_loopback(asked)) return false;
  char device[IFNAMSIZ] = "";
  socklen_t size = sizeof device;
  if (syscall(SYS_getsockopt, slot, SOL_SOCKET, SO_BINDTODEVICE, device, &size) == 0 && size > 0 && device[0] != '\0') {
    return true;
  }
  struct sockaddr_storage local;
  size = sizeof local;
  return syscall(SYS_getsockname, slot, &local, &size) == 0 && is_loopback((struct sockaddr *)&local);
}

static void remember(struct slot *slot, const struct sockaddr *asked) {
  uint64_t halves[2] = {0, 0};
  if (asked->sa_family == AF_INET) {
    __builtin_memcpy(halves, &((const struct sockaddr_in *)asked)->sin_addr, sizeof(struct in_addr));
  } else {
    __builtin_memcpy(halves, &((const struct sockaddr_in6 *)asked)->sin6_addr, sizeof(struct in6_addr));
  }
  slot->address[0] = halves[0];
  slot->address[1] = halves[1];
  slot->family = asked->sa_family;
}

/* Makes the program's descriptor the slot, with the flags that it has. */
static bool put(int slot, int fd) {
  const long flags = syscall(SYS_fcntl, fd, F_GETFL);
  const long close_on_exec = syscall(SYS_fcntl, fd, F_GETFD);
  if (flags < 0 || close_on_exec < 0) return false;
  copy_options(fd, slot);
  if (syscall(SYS_dup3, slot, fd, (close_on_exec & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) < 0) return false;
  /* The description is this generation's alone (it has a slot to itself). */
  syscall(SYS_fcntl, fd, F_SETFL, flags);
  return true;
}

static int adopt(int fd, int position, const struct sockaddr *asked) {
  struct slot *slot = &slots[position];
  const bool inherited = is_slot(FIRST_FD + position, position);
  const char *why = "";
  const int source = inherited ? FIRST_FD + position : claim(position, &why);
  if (source < 0) {
    complain(slot->port, why);
    errno = EADDRINUSE;
    return -1;
  }
  const bool narrowed = is_narrowed(source, asked);
  mark_listener(source, asked->sa_family, fd);
  const bool done = put(source, fd);
  if (!inherited) {
    struct stat info;
    if (syscall(SYS_fstat, source, &info) == 0) slot->inode = info.st_ino;
    syscall(SYS_close, source);
  }
  if (!done) {
    errno = EADDRINUSE;
    return -1;
  }
  remember(slot, asked);
  slot->adopted = true;
  slot->shut = false;
  line_buffer_stdout();
  report("bound", position, fd, narrowed ? "narrowed" : "");
  expect_attention();
  return 0;
}

EXPORTED int bind(int fd, const struct sockaddr *address, socklen_t size) {
  const int position = slot_count == 0 ? -1 : slot_for(fd, address, size);
  /* A slot is bound: the kernel says what a second bind() of the same descriptor is. */
  if (position < 0 || is_slot(fd, position)) return next_bind(fd, address, size);
  const int before = errno;
  const int result = adopt(fd, position, address);
  if (result == 0) errno = before;
  return result;
}

/* It listens already; the backlog of the program would replace a longer one. */
EXPORTED int listen(int fd, int backlog) {
  const int before = errno;
  const int position = slot_count == 0 ? -1 : slot_of(fd);
  errno = before;
  for (int each = 0; each < slot_count; each++) {
    /* The number may be another socket's by now. */
    if (slots[each].listener == fd + 1) slots[each].listener = 0;
  }
  if (position < 0) return next_listen(fd, backlog);
  slots[position].shut = false;
  slots[position].listener = fd + 1;
  expect_attention();
  return 0;
}

/* A listener that is shut down resets what waits in its queue; and those connections are the next generation's. */
EXPORTED int shutdown(int fd, int how) {
  const int before = errno;
  const int position = slot_count == 0 ? -1 : slot_of(fd);
  errno = before;
  if (position < 0) return next_shutdown(fd, how);
  if (how != SHUT_WR) slots[position].shut = true;
  return 0;
}

/* Linux takes it for this machine where it is connected to. */
static bool is_unspecified(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
  return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* A program that lives on another port than it believes reaches itself. */
EXPORTED int connect(int fd, const struct sockaddr *address, socklen_t size) {
  const int position = slot_count == 0 ? -1 : slot_for(fd, address, size);
  if (position < 0 || !(is_loopback(address) || is_unspecified(address))) return next_connect(fd, address, size);
  union {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
  } held;
  size = address->sa_family == AF_INET ? sizeof held.inet : sizeof held.inet6;
  __builtin_memcpy(&held, address, size);
  if (address->sa_family == AF_INET) held.inet.sin_port = htons(slots[position].held);
  else held.inet6.sin6_port = htons(slots[position].held);
  return next_connect(fd, &held.any, size);
}
