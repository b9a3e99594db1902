/** The preload library in C programs: whatever way a process came to be, and beside another library of its kind. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { locate } from '../../native/locate.ts'
import { freePort } from '../rig/ports.ts'
import { AdoptRig } from './adopt-rig.ts'

/** `HOW PORT`: says with what each of its bind()s ended. */
const PROGRAM = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int port;

static int listener(void) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  return bind(fd, (void *)&own, sizeof own) == 0 && listen(fd, 5) == 0 ? fd : -errno;
}

static void *in_a_thread(void *wrong) {
  if (listener() < 0) __atomic_add_fetch((int *)wrong, 1, __ATOMIC_RELAXED);
  return NULL;
}

int main(int count, char **words) {
  const char *how = words[1];
  int status = 0;
  port = atoi(words[2]);
  if (strcmp(how, "threads") == 0) {
    pthread_t threads[50];
    for (int i = 0; i < 50; i++) pthread_create(&threads[i], NULL, in_a_thread, &status);
    for (int i = 0; i < 50; i++) pthread_join(threads[i], NULL);
  } else if (strcmp(how, "vfork") == 0) {
    const pid_t child = vfork();
    if (child == 0) _exit(listener() < 0);
    waitpid(child, &status, 0);
    if (listener() < 0) status = -1;
  } else if (strcmp(how, "spawn") == 0) {
    pid_t child;
    char *const again[] = {words[0], "once", words[2], NULL};
    if (posix_spawn(&child, words[0], NULL, NULL, again, environ) != 0) return 1;
    waitpid(child, &status, 0);
  } else {
    status = listener() < 0;
  }
  printf("[\\"%s\\", %d]\\n", how, status);
  return 0;
}
`

/** Another library that stands before bind(): says which ports come by. */
const OTHER = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>
int bind(int fd, const struct sockaddr *address, socklen_t size) {
  fprintf(stderr, "[\\"other\\", %d]\\n", ntohs(((const struct sockaddr_in *)address)->sin_port));
  return ((__typeof__(bind) *)dlsym(RTLD_NEXT, "bind"))(fd, address, size);
}
`

const folder = mkdtempSync(join(tmpdir(), 'devsock-programs-'))
const program = join(folder, 'program')
const other = join(folder, 'other.so')

beforeAll(() => {
  writeFileSync(`${program}.c`, PROGRAM)
  writeFileSync(`${other}.c`, OTHER)
  execFileSync('cc', ['-pthread', '-o', program, `${program}.c`])
  execFileSync('cc', ['-shared', '-fPIC', '-o', other, `${other}.c`])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (rig: AdoptRig, how: string, env: Record<string, string> = {}, port = rig.port) =>
  rig.run({ id: `${how}#${port}`, code: '', env, wrapper: [program, how, String(port)] })

test.each([
  ['threads', 'fifty threads at once'],
  ['vfork', 'a child of vfork(), in its parent’s memory, and its parent'],
  ['spawn', 'a child of posix_spawn()'],
])('the slot is had by %s: %s', async (how) => {
  await using rig = await AdoptRig.create()
  const said = await run(rig, how)
  expect(said.at(-1)).toEqual([how, 0])
})

test('another preloaded library that stands before bind() has all that is not for the slot', async () => {
  await using rig = await AdoptRig.create()
  const LD_PRELOAD = `${locate('devsock-adopt.so')}:${other}`
  expect(await run(rig, 'once', { LD_PRELOAD })).toEqual([['once', 0]])
  const free = await freePort()
  expect((await run(rig, 'once', { LD_PRELOAD }, free)).slice(1)).toEqual([
    ['other', free],
    ['once', 0],
  ])
})

test('the library has nothing to allocate with, no lock to take and no thread to start', () => {
  const symbols = execFileSync('readelf', ['-W', '--dyn-syms', locate('devsock-adopt.so')], {
    encoding: 'utf8',
  })
  const used = [...symbols.matchAll(/ UND (\w+)/g)].map(([, name]) => name)
  const known = ['stdout', 'setvbuf', 'ftrylockfile', 'funlockfile', 'environ', 'dlsym', '__errno_location']
  // What the compiler makes of loops and assignments is libc's, too.
  const compilers = ['syscall', 'memcpy', 'memcmp', 'memset', 'memmove', 'strlen']
  expect(used.filter((name) => ![...known, ...compilers].includes(String(name)))).toEqual([])
})
