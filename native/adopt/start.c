/* What the library knows from its environment, read once before main(). */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"
#include "next.h"

/* The value of a variable's text if it has that name. */
static const char *value_of(const char *text, const char *name) {
  while (*name != '\0' && *text == *name) text++, name++;
  return *name == '\0' && *text == '=' ? text + 1 : NULL;
}

static const char *variable(const char *name) {
  for (char **each = environ; each != NULL && *each != NULL; each++) {
    const char *value = value_of(*each, name);
    if (value != NULL) return value;
  }
  return NULL;
}

static const char *parse(const char *text, uint64_t *number) {
  for (*number = 0; *text >= '0' && *text <= '9'; text++) *number = *number * 10 + (uint64_t)(*text - '0');
  return text;
}

/* DEVSOCK_ADOPT: for each slot the program's port, or PORT=HELD where they differ, or 0; commas between. */
static int parse_ports(const char *text) {
  int count = 0;
  while (*text != '\0' && count < MAX_SLOTS) {
    struct slot *slot = &slots[count++];
    uint64_t port;
    text = parse(text, &port);
    slot->port = slot->held = (uint16_t)port;
    if (*text == '=') {
      text = parse(text + 1, &port);
      slot->held = (uint16_t)port;
    }
    if (*text != ',') break;
    text++;
  }
  return *text == '\0' ? count : 0;
}

/* DEVSOCK_SLOTS: the inode of each slot; commas between. */
static void parse_inodes(const char *text, int count) {
  for (int position = 0; position < count; position++) {
    uint64_t inode;
    text = parse(text, &inode);
    slots[position].inode = (ino_t)inode;
    if (*text == ',') text++;
  }
}

static void set_path(struct sockaddr_un *address, const char *path) {
  size_t length = 0;
  while (path[length] != '\0') length++;
  if (length >= sizeof address->sun_path) return;
  address->sun_family = AF_UNIX;
  __builtin_memcpy(address->sun_path, path, length);
}

static bool has_all_slots(int count) {
  for (int position = 0; position < count; position++) {
    if (!is_slot(FIRST_FD + position, position)) return false;
  }
  return true;
}

static void unset(const char *name) {
  char **to = environ;
  for (char **from = environ; *from != NULL; from++) {
    if (value_of(*from, name) == NULL) *to++ = *from;
  }
  *to = NULL;
}

/* Below a shell or npm LISTEN_PID is another process's: exact where the descriptors came through, and absent where
 * they did not (sd_listen_fds(3) ignores what is not for its own pid). */
static void make_listen_pid_exact(int count) {
  static char text[32];
  const uint64_t self = (uint64_t)syscall(SYS_getpid);
  for (char **each = environ; each != NULL && *each != NULL; each++) {
    const char *value = value_of(*each, "LISTEN_PID");
    uint64_t pid;
    if (value == NULL) continue;
    parse(value, &pid);
    if (has_all_slots(count)) {
      if (pid == self) return;
      char *at = append_number(append(text, text + sizeof text, "LISTEN_PID="), text + sizeof text - 1, self);
      *at = '\0';
      *each = text;
      return;
    }
    unset("LISTEN_PID");
    unset("LISTEN_FDS");
    unset("LISTEN_FDNAMES");
    return;
  }
}

__attribute__((constructor)) static void start(void) {
  const char *ports = variable("DEVSOCK_ADOPT");
  const char *off = variable("DEVSOCK");
  if (ports == NULL || (off != NULL && off[0] == '0' && off[1] == '\0')) return;
  const char *holder = variable("DEVSOCK_HOLDER");
  const char *notify = variable("NOTIFY_SOCKET");
  const char *inodes = variable("DEVSOCK_SLOTS");
  if (holder != NULL) set_path(&holder_address, holder);
  if (notify != NULL) set_path(&notify_address, notify);
  const int count = parse_ports(ports);
  if (inodes != NULL) parse_inodes(inodes, count);
  find_next();
  /* Last: from here on calls are looked at. */
  slot_count = count;
  if (inodes != NULL) make_listen_pid_exact(count);
}
