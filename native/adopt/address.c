/* Addresses as the program expects them: the slot may be AF_INET6, for both families, where the program made an
 * AF_INET socket, or two, one a family; and its port may be another one.
 *
 * What a program expects is noted on the socket itself, in options that mean nothing to TCP and that the kernel copies
 * from a listener to its connections: it is still known after fork, exec and SCM_RIGHTS. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"
#include "next.h"

/* How many of the next connections may have been made before their listener was marked: those are marked one by one.
 * It is not known to a process that came by its listener through exec(). */
static atomic_int unmarked = 16;

/* IPV6_MULTICAST_ALL is not in every libc's headers. */
enum { MULTICAST_ALL = 29 };

static int option(int fd, int name) {
  int value = 1; /* the kernel's default of both */
  socklen_t size = sizeof value;
  syscall(SYS_getsockopt, fd, IPPROTO_IPV6, name, &value, &size);
  return value;
}

static void mark(int fd, enum view view) {
  const int loop = view != AS_INET, all = view != BY_FAMILY;
  syscall(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop, sizeof loop);
  syscall(SYS_setsockopt, fd, IPPROTO_IPV6, MULTICAST_ALL, &all, sizeof all);
}

static enum view view_of(int fd) {
  if (option(fd, IPV6_MULTICAST_LOOP) == 0) return AS_INET;
  return option(fd, MULTICAST_ALL) == 0 ? BY_FAMILY : AS_BOUND;
}

void mark_listener(int slot, int family, int fd) {
  enum view view = AS_BOUND;
  if (family == AF_INET) view = view_of(slot) == BY_FAMILY ? BY_FAMILY : AS_INET;
  else if (option(fd, IPV6_V6ONLY) != 0) view = BY_FAMILY;
  mark(slot, view);
  struct tcp_info info;
  socklen_t size = sizeof info;
  /* Of a listener: what waits in its queue (tcp(7)). One more may have come at this moment. */
  if (syscall(SYS_getsockopt, slot, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) unmarked = (int)info.tcpi_unacked + 1;
}

union address {
  struct sockaddr any;
  struct sockaddr_in inet;
  struct sockaddr_in6 inet6;
  struct sockaddr_storage storage;
};

static int slot_of_port(uint16_t held) {
  for (int position = 0; position < slot_count; position++) {
    if (held != 0 && slots[position].held == held) return position;
  }
  return -1;
}

/* A slot, or a connection of one. The listener of a server that accepts by itself costs no system call. */
static bool is_ours(int fd) {
  for (int position = 0; position < slot_count; position++) {
    if (slots[position].listener == fd + 1) return true;
  }
  union address local;
  socklen_t size = sizeof local;
  return syscall(SYS_getsockname, fd, &local, &size) == 0 && slot_of_port(port_of(&local.any, size)) >= 0;
}

/* `room` as the program gave it: one for a sockaddr_in or for a sockaddr_in6 says what it expects; more, or none at
 * all, says nothing. */
static enum view expected(int fd, socklen_t room) {
  if (room == sizeof(struct sockaddr_in6)) return AS_BOUND;
  const bool is_said = room >= sizeof(struct sockaddr_in) && room < sizeof(struct sockaddr_in6);
  const enum view view = is_said ? AS_INET : view_of(fd);
  return view == AS_BOUND || is_ours(fd) ? view : AS_BOUND;
}

/* v4-mapped as what it is, ::1 as 127.0.0.1; an address that AF_INET has no word for as 0.0.0.0. */
static socklen_t to_inet(union address *address) {
  const struct in6_addr *from = &address->inet6.sin6_addr;
  struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = address->inet6.sin6_port};
  if (IN6_IS_ADDR_V4MAPPED(from)) __builtin_memcpy(&inet.sin_addr, &from->s6_addr[12], sizeof inet.sin_addr);
  if (IN6_IS_ADDR_LOOPBACK(from)) inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->inet = inet;
  return sizeof inet;
}

static bool is_inet(const union address *address, enum view view) {
  if (address->any.sa_family != AF_INET6) return false;
  return view == AS_INET || (view == BY_FAMILY && IN6_IS_ADDR_V4MAPPED(&address->inet6.sin6_addr));
}

/* As the kernel does: cut to the room, with the true size. */
static void give(const union address *from, socklen_t size, struct sockaddr *to, socklen_t *room) {
  __builtin_memcpy(to, from, size < *room ? size : *room);
  *room = size;
}

static int took(int listener, int fd, union address *peer, socklen_t size, struct sockaddr *address, socklen_t *room) {
  if (fd < 0) return fd;
  if (peer->any.sa_family == AF_INET6) {
    const enum view view = expected(listener, address == NULL ? 0 : *room);
    if (unmarked > 0 && view != AS_BOUND) {
      unmarked--;
      mark(fd, view);
    }
    if (is_inet(peer, view)) size = to_inet(peer);
  }
  if (address != NULL) give(peer, size, address, room);
  return fd;
}

/* A listener that the program has shut down gives nothing any more, as the kernel would have it. */
static bool is_shut(int fd) {
  for (int position = 0; position < slot_count; position++) {
    if (slots[position].shut && is_slot(fd, position)) return true;
  }
  return false;
}

EXPORTED int accept4(int fd, struct sockaddr *address, socklen_t *room, int flags) {
  if (slot_count == 0 || (address != NULL && room == NULL)) return next_accept4(fd, address, room, flags);
  if (is_shut(fd)) {
    errno = EINVAL;
    return -1;
  }
  attend(fd);
  if (address == NULL && unmarked <= 0) return next_accept4(fd, address, room, flags);
  union address peer = {.any.sa_family = AF_UNSPEC};
  socklen_t size = sizeof peer;
  const int connection = next_accept4(fd, &peer.any, &size, flags);
  return took(fd, connection, &peer, size, address, room);
}

EXPORTED int accept(int fd, struct sockaddr *address, socklen_t *room) {
  if (slot_count == 0 || (address != NULL && room == NULL)) return next_accept(fd, address, room);
  if (is_shut(fd)) {
    errno = EINVAL;
    return -1;
  }
  attend(fd);
  if (address == NULL && unmarked <= 0) return next_accept(fd, address, room);
  union address peer = {.any.sa_family = AF_UNSPEC};
  socklen_t size = sizeof peer;
  const int connection = next_accept(fd, &peer.any, &size);
  return took(fd, connection, &peer, size, address, room);
}

EXPORTED int getpeername(int fd, struct sockaddr *address, socklen_t *room) {
  if (slot_count == 0 || address == NULL || room == NULL) return next_getpeername(fd, address, room);
  union address peer;
  socklen_t size = sizeof peer;
  const int result = next_getpeername(fd, &peer.any, &size);
  if (result != 0) return result;
  if (peer.any.sa_family == AF_INET6 && is_inet(&peer, expected(fd, *room))) size = to_inet(&peer);
  give(&peer, size, address, room);
  return 0;
}

static void set_port(union address *address, uint16_t port) {
  if (address->any.sa_family == AF_INET) address->inet.sin_port = htons(port);
  else address->inet6.sin6_port = htons(port);
}

/* What this process asked for at bind(), where the descriptor is that slot. 0: not known. */
static socklen_t asked(int fd, int position, union address *address) {
  struct slot *slot = &slots[position];
  const int family = slot->family;
  if (family == 0 || !is_slot(fd, position)) return 0;
  const uint64_t halves[2] = {slot->address[0], slot->address[1]};
  if (family == AF_INET) {
    address->inet = (struct sockaddr_in){.sin_family = AF_INET};
    __builtin_memcpy(&address->inet.sin_addr, halves, sizeof address->inet.sin_addr);
    return sizeof address->inet;
  }
  address->inet6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
  __builtin_memcpy(&address->inet6.sin6_addr, halves, sizeof address->inet6.sin6_addr);
  return sizeof address->inet6;
}

EXPORTED int getsockname(int fd, struct sockaddr *address, socklen_t *room) {
  if (slot_count == 0 || address == NULL || room == NULL) return next_getsockname(fd, address, room);
  union address local;
  socklen_t size = sizeof local;
  const int result = next_getsockname(fd, &local.any, &size);
  if (result != 0) return result;
  const int position = slot_of_port(port_of(&local.any, size));
  if (position >= 0) {
    const socklen_t known = asked(fd, position, &local);
    if (known > 0) size = known;
    else if (is_inet(&local, view_of(fd))) size = to_inet(&local);
    set_port(&local, slots[position].port);
  }
  give(&local, size, address, room);
  return 0;
}
