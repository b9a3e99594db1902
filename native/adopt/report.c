#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"

struct sockaddr_un notify_address;

char *append(char *at, const char *end, const char *text) {
  while (*text != '\0' && at < end) *at++ = *text++;
  return at;
}

char *append_number(char *at, const char *end, uint64_t number) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count > 0 && at < end) *at++ = digits[--count];
  return at;
}

void report(const char *what, int position, int fd, const char *detail) {
  if (notify_address.sun_path[0] == '\0') return;
  char text[2 * DETAIL];
  const char *end = text + sizeof text;
  char *at = append(text, end, "X_DEVSOCK=");
  at = append(at, end, what);
  const uint64_t numbers[] = {(uint64_t)position, (uint64_t)syscall(SYS_getpid), (uint64_t)fd};
  for (int i = 0; i < 3; i++) at = append_number(append(at, end, " "), end, numbers[i]);
  at = append(at, end, slots[position].adopted ? " preload" : " inherited");
  if (detail[0] != '\0') at = append(append(at, end, " "), end, detail);
  const int out = (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out < 0) return;
  syscall(SYS_sendto, out, text, (size_t)(at - text), MSG_NOSIGNAL, &notify_address, sizeof notify_address);
  syscall(SYS_close, out);
}

void complain(uint16_t port, const char *why) {
  char text[4 * DETAIL];
  const char *end = text + sizeof text;
  char *at = append(text, end, "devsock: port ");
  at = append_number(at, end, port);
  at = append(at, end, " could not be handed to this program: ");
  at = append(append(at, end, why), end, "; it gets \"address already in use\"\n");
  syscall(SYS_write, STDERR_FILENO, text, (size_t)(at - text));
}
