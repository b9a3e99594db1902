/* A program that changes its root takes LD_PRELOAD along, and ld.so(8) would complain for each one that it starts
 * there: the library is not in that file system. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"
#include "next.h"

static const char name[] = "LD_PRELOAD=";

/* Takes the first path out of LD_PRELOAD, ours, if no such file is to be seen; in place, as nothing is allocated. */
static void leave_out_library(void) {
  for (char **each = environ; each != NULL && *each != NULL; each++) {
    char *value = *each;
    for (size_t i = 0; i < sizeof name - 1 && value != NULL; i++) {
      if ((*each)[i] != name[i]) value = NULL;
    }
    if (value == NULL) continue;
    value += sizeof name - 1;
    char *end = value;
    while (*end != '\0' && *end != ':' && *end != ' ') end++;
    const char separator = *end;
    *end = '\0';
    const bool seen = syscall(SYS_faccessat, AT_FDCWD, value, R_OK) == 0;
    *end = separator;
    if (seen) return;
    /* The name goes to right before what is left; the path was longer than it. */
    char *rest = separator == '\0' ? end : end + 1;
    if (rest - value < (ptrdiff_t)(sizeof name - 1)) return;
    __builtin_memcpy(rest - (sizeof name - 1), name, sizeof name - 1);
    *each = rest - (sizeof name - 1);
    return;
  }
}

EXPORTED int chroot(const char *path) {
  const int result = next_chroot(path);
  if (result == 0 && slot_count > 0) leave_out_library();
  return result;
}
