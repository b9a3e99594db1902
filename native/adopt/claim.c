/* The holder's protocol as far as a client needs it: hello, and the claim of a slot (ARCHITECTURE.md). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "adopt.h"

struct sockaddr_un holder_address;

enum {
  DEADLINE_MS = 3000, /* it is busy where hundreds bind at once; the next one is there within a second */
  AGAIN_MS = 20, /* until the next holder, which takes over from one that died */
  REPLY_BYTES = 512,
};

static int64_t now_ms(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static bool send_text(int fd, const char *text, size_t size) {
  return syscall(SYS_sendto, fd, text, size, MSG_NOSIGNAL, NULL, 0) == (long)size;
}

/* One message, and its descriptor, else -1 in *fd. A program's timer may interrupt it again and again. */
static ssize_t receive(int from, char *text, int *fd, int64_t deadline) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {text, REPLY_BYTES};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  long size;
  do {
    size = syscall(SYS_recvmsg, from, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR && now_ms() < deadline);
  *fd = -1;
  const struct cmsghdr *item = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (item != NULL && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS) {
    __builtin_memcpy(fd, CMSG_DATA(item), sizeof *fd);
  }
  return size;
}

static const char silence[] = "the holder did not answer within three seconds";

/* Of `SEQ ok …`, NUL between the fields. */
static bool is_ok(const char *text, ssize_t size) { return size >= 4 && __builtin_memcmp(text + 1, "\0ok", 3) == 0; }

/* false in *again: the holder answered, and nothing will change that. */
static int ask(int position, int64_t deadline, bool *again, const char **why) {
  const int64_t left_ms = deadline - now_ms();
  /* 0 would be no limit. */
  if (left_ms <= 0) return -1;
  const int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  *why = "no socket could be made to ask the holder";
  if (fd < 0) return -1;
  const struct timeval limit = {left_ms / 1000, left_ms % 1000 * 1000};
  syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  static const char hello[] = "1\0hello\0001\0client";
  char request[DETAIL] = "2\0claim";
  const char *end = append_number(request + sizeof "2\0claim", request + sizeof request, (uint64_t)position);
  char reply[REPLY_BYTES];
  int slot = -1;
  int none = -1;
  *why = silence;
  const bool greeted = syscall(SYS_connect, fd, &holder_address, sizeof holder_address) == 0 &&
                       send_text(fd, hello, sizeof hello - 1) &&
                       send_text(fd, request, (size_t)(end - request)) &&
                       is_ok(reply, receive(fd, reply, &none, deadline));
  if (greeted) {
    const ssize_t size = receive(fd, reply, &slot, deadline);
    if (size > 0 && !is_ok(reply, size)) {
      *again = false;
      *why = "the holder says that this process belongs to no generation of that port";
    } else if (size > 0 && slot < 0) {
      *again = false;
      *why = "no file descriptor is free";
    }
  }
  if (none >= 0) syscall(SYS_close, none);
  syscall(SYS_close, fd);
  return slot;
}

int claim(int position, const char **why) {
  const int64_t deadline = now_ms() + DEADLINE_MS;
  bool again = true;
  *why = silence;
  while (true) {
    const int fd = ask(position, deadline, &again, why);
    if (fd >= 0 || !again || now_ms() >= deadline) return fd;
    const struct timespec pause = {0, AGAIN_MS * 1000000l};
    syscall(SYS_nanosleep, &pause, NULL);
  }
}
