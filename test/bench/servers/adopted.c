/* Binds its port by itself, as most servers do, and answers one request a connection. `binds N`: only binds, and says
 * how long that took. `starts N LIBRARY`: how much longer a process takes to start with that library preloaded. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b) {
  const double one = *(const double *)a, other = *(const double *)b;
  return (one > other) - (one < other);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_size);
  return values[count / 2];
}

static int bound(void) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(getenv("PORT")))};
  const int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return perror("bind"), exit(1), -1;
  return fd;
}

static int binds(int count) {
  double took[1000];
  close(3); /* each is asked of the holder, which takes longer than what was inherited */
  for (int i = 0; i < count; i++) {
    const double began = now_ms();
    const int fd = bound();
    took[i] = now_ms() - began;
    close(fd);
  }
  return printf("bind %.4f ms\n", median(took, count)), fflush(stdout), 0;
}

static double start(char **environment) {
  static char *const words[] = {"/bin/true", NULL};
  pid_t pid;
  const double began = now_ms();
  if (posix_spawn(&pid, words[0], NULL, NULL, words, environment) != 0) exit(1);
  waitpid(pid, NULL, 0);
  return now_ms() - began;
}

static int starts(int count, const char *library) {
  char preload[4096];
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
  char *with[] = {preload, "DEVSOCK_ADOPT=3000", "DEVSOCK_SLOTS=1", "DEVSOCK_HOLDER=/nonexistent", NULL};
  double more[1000];
  for (int i = 0; i < count; i++) {
    const double without = start(with + 1);
    more[i] = start(with) - without;
  }
  return printf("start %.4f ms\n", median(more, count)), 0;
}

int main(int count, char **words) {
  if (count > 2 && strcmp(words[1], "binds") == 0 && binds(atoi(words[2])) != 0) return 1;
  if (count > 3 && strcmp(words[1], "starts") == 0) return starts(atoi(words[2]), words[3]);
  const int listener = bound();
  if (listen(listener, 4096) != 0) return perror("listen"), 1;
  for (;;) {
    char request[4096];
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    const int connection = accept(listener, (struct sockaddr *)&peer, &size);
    if (connection < 0) return perror("accept"), 1;
    if (read(connection, request, sizeof request) > 0 && write(connection, answer, sizeof answer - 1) < 0)
      return perror("write"), 1;
    close(connection);
  }
}
