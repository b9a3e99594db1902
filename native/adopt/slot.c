#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"

struct slot slots[MAX_SLOTS];
int slot_count;

/* 0 for what is no socket. */
static ino_t socket_inode(int fd) {
  struct stat info;
  return syscall(SYS_fstat, fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

int slot_of(int fd) {
  const ino_t inode = socket_inode(fd);
  for (int position = 0; inode != 0 && position < slot_count; position++) {
    if (slots[position].inode == inode) return position;
  }
  return -1;
}

bool is_slot(int fd, int position) {
  const ino_t inode = socket_inode(fd);
  return inode != 0 && slots[position].inode == inode;
}

uint16_t port_of(const struct sockaddr *address, socklen_t size) {
  if (address == NULL || size < sizeof(struct sockaddr_in)) return 0;
  if (address->sa_family == AF_INET) return ntohs(((const struct sockaddr_in *)address)->sin_port);
  if (address->sa_family != AF_INET6 || size < sizeof(struct sockaddr_in6)) return 0;
  return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
}

int slot_for(int fd, const struct sockaddr *address, socklen_t size) {
  const uint16_t port = port_of(address, size);
  if (port == 0) return -1;
  for (int position = 0; position < slot_count; position++) {
    if (slots[position].port != port) continue;
    int type = 0;
    socklen_t length = sizeof type;
    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length);
    return type == SOCK_STREAM ? position : -1;
  }
  return -1;
}
