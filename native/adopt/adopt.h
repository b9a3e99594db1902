/* The preload library: gives a program that calls bind() itself the slot of its generation (ARCHITECTURE.md,
 * "Adoption"). It is in every process below a generation, so it does nothing until a program binds, or waits on,
 * one of the generation's ports: no allocation, no lock, no thread, no file opened.
 *
 * It needs no library, not even libc by name: what it calls is found in whatever libc the process has (glibc of any
 * age, musl), and the system calls of its own go through syscall(2).
 */
#ifndef DEVSOCK_ADOPT_H
#define DEVSOCK_ADOPT_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* What programs find instead of libc's. */
#define EXPORTED __attribute__((visibility("default")))

enum {
  FIRST_FD = 3, /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
  MAX_SLOTS = 16,
  DETAIL = 96,
};

/* One slot of this generation, in the order of its descriptors. Written at start; the atomic part later, too. */
struct slot {
  /* The port that the program believes it binds, and the one that is held; 0 for a unix socket, which is inherited
   * only. */
  uint16_t port, held;
  /* Of its socket: what tells a descriptor that is the slot from any other. 0: not known yet. */
  _Atomic ino_t inode;
  /* A bind() of this process, or of one that it was forked from, was answered with it. */
  atomic_bool adopted;
  /* The descriptor that this process has called listen() on, plus one; 0: none. */
  atomic_int listener;
  /* The program shut its listener down. */
  atomic_bool shut;
  /* The address that the program asked for, as getsockname() is to give it; family 0: not known. */
  atomic_int family;
  _Atomic uint64_t address[2];
};

extern struct slot slots[MAX_SLOTS];
/* 0: not below a generation, or turned off; then every call goes straight on. */
extern int slot_count;

/* slot.c */

/* Which slot a descriptor is, by its socket; -1 for any other. */
int slot_of(int fd);
bool is_slot(int fd, int position);
/* The slot that a bind() to this address means; -1 for none. */
int slot_for(int fd, const struct sockaddr *address, socklen_t size);
uint16_t port_of(const struct sockaddr *address, socklen_t size);

/* claim.c */

extern struct sockaddr_un holder_address;
/* A duplicate of the slot from the holder, close-on-exec; -1 with *why, after three seconds at most. */
int claim(int position, const char **why);

/* report.c */

extern struct sockaddr_un notify_address;
/* Tells the daemon, by way of the holder: X_DEVSOCK=what POSITION PID FD HANDOVER [detail]. Waits for nobody. */
void report(const char *what, int position, int fd, const char *detail);
/* One line on stderr. */
void complain(uint16_t port, const char *why);
/* Appends to a text of `size` bytes; what does not fit is cut. */
char *append(char *at, const char *end, const char *text);
char *append_number(char *at, const char *end, uint64_t number);

/* attention.c */

/* The next accept, poll, select or epoll_ctl on a slot is reported: a program that binds may do so again. */
void expect_attention(void);
/* This process is about to wait on, or take from, that descriptor. */
void attend(int fd);

/* address.c */

/* Of clients of an AF_INET6 slot: as they are · all as AF_INET, for an AF_INET socket · each by its own family, for a
 * program that has a socket a family: its AF_INET6 one was IPV6_V6ONLY, so it has never seen a mapped address. */
enum view { AS_BOUND, AS_INET, BY_FAMILY };

/* Notes on the slot what the program expects of it by the socket that it made, `fd`. */
void mark_listener(int slot, int family, int fd);

#endif
