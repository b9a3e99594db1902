/* The least a server can do: accepts from fd 3 and answers one request a connection. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";

int main(void) {
  char request[4096];
  for (;;) {
    int connection = accept(3, NULL, NULL);
    if (connection < 0) return EXIT_FAILURE;
    if (read(connection, request, sizeof request) > 0 && write(connection, answer, sizeof answer - 1) < 0)
      return EXIT_FAILURE;
    close(connection);
  }
}
