/* What devsock is measured against: a parent that holds the listener and, when it becomes readable, forks
 * and execs the server with it as fd 3. Nothing else is in the way. When the server has ended it waits for
 * the next connection. usage: spawn PORT PROGRAM [ARG…]; prints the pid of each server. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int listener_on(int port) {
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  if (fd < 0) err(1, "socket");
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0) err(1, "setsockopt");
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) < 0) err(1, "setsockopt");
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) err(1, "bind");
  if (listen(fd, 4096) < 0) err(1, "listen");
  /* Out of the way of fd 3: dup2() of a descriptor to itself would leave it close-on-exec. */
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
  if (high < 0) err(1, "fcntl");
  close(fd);
  return high;
}

int main(int argc, char **argv) {
  if (argc < 3) errx(2, "usage: spawn PORT PROGRAM [ARG...]");
  int listener = listener_on(atoi(argv[1]));
  setenv("LISTEN_FDS", "1", 1);
  puts("listening");
  fflush(stdout);
  for (;;) {
    struct pollfd readable = {.fd = listener, .events = POLLIN};
    if (poll(&readable, 1, -1) < 0) err(1, "poll");
    pid_t pid = fork();
    if (pid < 0) err(1, "fork");
    if (pid == 0) {
      if (dup2(listener, 3) < 0) err(1, "dup2");
      execvp(argv[2], argv + 2);
      err(1, "%s", argv[2]);
    }
    printf("%d\n", (int)pid);
    fflush(stdout);
    if (waitpid(pid, NULL, 0) < 0) err(1, "waitpid");
  }
}
