/** Programs that no library can be loaded into: their bind() is answered by the holder. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseReport } from '../../proxy/services/adoption-report.ts'
import { eventually } from '../rig/eventually.ts'
import { freePort } from '../rig/ports.ts'
import { signal } from '../rig/processes.ts'
import { fetchFrom, type HolderPeer, open, TestHolder } from './holder-rig.ts'

/** `HOW PORT…`: binds each of these, and says what came of it; `serve` answers on the first. */
const SOURCE = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int port, on = 1;

static int make(const char *how, int number, int *error) {
  struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = htons(number)};
  struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
  const int is6 = strchr(how, ':') != NULL;
  if (is6) inet_pton(AF_INET6, how, &inet6.sin6_addr);
  else inet_pton(AF_INET, how, &inet.sin_addr);
  const int fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  *error = (is6 ? bind(fd, (void *)&inet6, sizeof inet6) : bind(fd, (void *)&inet, sizeof inet)) == 0 ? 0 : errno;
  return fd;
}

static void *in_a_thread(void *at) {
  int error;
  make("127.0.0.1", port, &error);
  *(int *)at = error;
  return NULL;
}

static int raw(int fd, void *address, unsigned size) {
  return syscall(SYS_bind, fd, address, size) == 0 ? 0 : errno;
}

/* What a sandbox does: a listener of its own, of whatever calls. */
static int supervise(char **command) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog code = {1, allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &code);
  if (fd < 0 || fcntl(fd, F_SETFD, 0) != 0) return 1;
  execv(command[0], command);
  return 1;
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *how = words[1];
  if (strcmp(how, "supervise") == 0) return supervise(words + 2);
  port = atoi(words[2]);
  int error;
  if (strcmp(how, "threads") == 0) {
    pthread_t threads[20];
    int errors[20], wrong = 0;
    for (int i = 0; i < 20; i++) pthread_create(&threads[i], NULL, in_a_thread, &errors[i]);
    for (int i = 0; i < 20; i++) pthread_join(threads[i], NULL), wrong += errors[i] != 0;
    return printf("wrong %d\\n", wrong), 0;
  }
  if (strcmp(how, "garbage") == 0) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in other = {.sin_family = AF_UNIX, .sin_port = htons(port)};
    printf("%d ", raw(fd, (void *)8, sizeof own) == EFAULT);
    printf("%d ", raw(fd, &own, 3) == EINVAL);
    printf("%d ", raw(fd, &own, 0xffffffffu) == EINVAL);
    printf("%d ", raw(fd, &other, sizeof other) != 0);
    printf("%d ", raw(-1, &own, sizeof own) == EBADF);
    printf("%d ", raw(0, &own, sizeof own) == ENOTSOCK);
    printf("%d\\n", raw(socket(AF_INET, SOCK_DGRAM, 0), &own, sizeof own) == 0);
    return 0;
  }
  if (strcmp(how, "wait") == 0) {
    char byte;
    puts("waiting");
    int fifo = open(words[3], O_RDONLY);
    if (read(fifo, &byte, 1) != 1) return 1;
    how = "127.0.0.1";
  }
  if (strcmp(how, "closed") == 0) {
    for (int i = 0; i < 1024; i++) close(i);
    how = "127.0.0.1";
  }
  if (strcmp(how, "workers") == 0) {
    for (int i = 1, child = 1; i < 8 && child != 0; i++) child = fork();
    how = "0.0.0.0";
  }
  const int leaves = strcmp(how, "leaves") == 0, twice = strcmp(how, "twice") == 0;
  if (leaves || twice) how = "127.0.0.1";
  const int fd = make(how, port, &error);
  if (leaves && fork() != 0) return 0;
  struct sockaddr_in again = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (twice && bind(fd, (void *)&again, sizeof again) == 0) return 1;
  printf("%d %d %d\\n", error, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, fcntl(fd, F_GETFD) == FD_CLOEXEC);
  if (error != 0 || listen(fd, 5) != 0) return 1;
  fcntl(fd, F_SETFL, 0);
  for (;;) {
    int connection = accept(fd, NULL, NULL);
    if (connection < 0 || write(connection, "hello", 5) < 0) return 1;
    close(connection);
  }
}
`

const folder = mkdtempSync(join(tmpdir(), 'devsock-kernel-'))
const PROGRAM = join(folder, 'program')

beforeAll(() => {
  writeFileSync(join(folder, 'program.c'), SOURCE)
  execFileSync('cc', ['-static', '-pthread', '-o', PROGRAM, join(folder, 'program.c')])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function withSocket(): Promise<{ holder: TestHolder; daemon: HolderPeer; port: number }> {
  const { holder, daemon } = await TestHolder.start()
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 128, '600'])
  return { holder, daemon, port: Number(fields[0]) }
}

function start(holder: TestHolder, daemon: HolderPeer, binds: number, ...words: (string | number)[]) {
  const spec = holder.spec('one#1', { args: [PROGRAM, ...words.map(String)], slots: [`0:${binds} http a`] })
  return daemon.do('spawn', [], [spec])
}

test.each([
  ['127.0.0.1', false],
  ['::1', false],
  ['0.0.0.0', true],
  ['::', true],
])('a static program that binds %s has the slot, with its own flags', async (host, narrowed) => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  await start(holder, daemon, port, host, port)
  const { args } = await daemon.event('notify', 'one#1')
  expect(parseReport(args[1] ?? '')).toMatchObject({
    what: 'bound',
    position: 0,
    handover: 'kernel',
    narrowed,
  })
  expect(await fetchFrom({ port })).toBe('hello')
  expect(await fetchFrom({ port, host: '::1' })).toBe('hello')
  expect(holder.said()).toBe('0 1 1\n')
})

test('a program may believe that it lives on another port', async () => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  const believed = await freePort()
  await start(holder, daemon, believed, '127.0.0.1', believed)
  expect(await fetchFrom({ port })).toBe('hello')
})

test('other ports are the program’s own', async () => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  const own = await freePort()
  await start(holder, daemon, port, '127.0.0.1', own)
  await eventually(() => holder.said() === '0 1 1\n')
  expect(await fetchFrom({ port: own })).toBe('hello')
})

test('twenty binds at once get the slot each', async () => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  await start(holder, daemon, port, 'threads', port)
  await daemon.event('gone', 'one#1')
  expect(holder.said()).toBe('wrong 0\n')
})

test('what is no bind of a TCP port is what the kernel says it is', async () => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  await start(holder, daemon, port, 'garbage', port)
  await daemon.event('gone', 'one#1')
  expect(holder.said()).toBe('1 1 1 1 1 1 1\n')
})

test.each([
  ['closed', 'closes all its descriptors at start', /^$/],
  ['twice', 'binds twice', /^0 1 1\n$/],
  // Each makes the description blocking, which is one for all of them.
  ['workers', 'binds in eight SO_REUSEPORT workers', /^(0 [01] 1\n){8}$/],
  ['leaves', 'forks after bind() and ends', /^0 1 1\n$/],
])('a static program (%s) that %s has the slot', async (how, _, said) => {
  const { holder, daemon, port } = await withSocket()
  await using __ = holder
  await start(holder, daemon, port, how, port)
  for (let i = 0; i < 10; i++) expect(await fetchFrom({ port })).toBe('hello')
  await eventually(() => said.test(holder.said()))
})

test('a program that binds after the holder died has its slot from the next one', async () => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  const fifo = join(holder.dir, 'go')
  execFileSync('mkfifo', [fifo])
  await start(holder, daemon, port, 'wait', port, fifo)
  await eventually(() => holder.said() === 'waiting\n')
  const [socket] = await daemon.list('socket')
  const [item] = await daemon.list('generation')
  expect(item?.descriptors).toHaveLength(2)
  await holder.kill()
  // The stand-in for the daemon has the lock.
  signal(Number(/daemon (\d+) started/.exec(holder.log())?.[1]), 'SIGKILL')
  await eventually(() => holder.isUnlocked())
  // It binds while there is nobody to answer.
  execFileSync('sh', ['-c', `echo x > ${fifo}`])
  await holder.restart()
  const next = await holder.hello('daemon')
  await next.do('store', socket?.fields, socket?.descriptors)
  const [id = '', pid = '', begun = '', , , , ready = '', , invocation = '', ...slots] = item?.fields ?? []
  expect(slots).toEqual([`0:${port} http a`])
  await next.do('adopt', [id, pid, begun, invocation, ready, ...slots], item?.descriptors)
  expect(await fetchFrom({ port })).toBe('hello')
  await next.do('signal', [id, 9, 'all'])
  await next.event('gone', id)
})

test('a generation that drains has its own slot when it binds once more, never the next one’s', async () => {
  const { holder, daemon, port } = await withSocket()
  await using _ = holder
  const fifo = join(holder.dir, 'go')
  execFileSync('mkfifo', [fifo])
  await start(holder, daemon, port, 'wait', port, fifo)
  await eventually(() => holder.said() === 'waiting\n')
  await daemon.do('fresh', ['a', 1])
  await daemon.do('steer', ['a', 1])
  const words = [PROGRAM, '127.0.0.1', String(port)]
  await daemon.do('spawn', [], [holder.spec('two#1', { args: words, slots: [`1:${port} http a`] })])
  expect(await fetchFrom({ port })).toBe('hello')
  execFileSync('sh', ['-c', `echo x > ${fifo}`])
  await daemon.event('notify', 'one#1')
  // Nobody is left who takes from the second.
  await daemon.do('signal', ['two#1', 9, 'leader'])
  await daemon.event('gone', 'two#1')
  const waits = await open(port)
  await daemon.do('steer', ['a', 0])
  expect(await fetchFrom({ port })).toBe('hello')
  expect(waits.bytesRead).toBe(0)
  waits.destroy()
})

test('where somebody else answers system calls already, the start fails with EBUSY and leaves nothing', async () => {
  const { holder, daemon } = await TestHolder.start({ wrapper: [PROGRAM, 'supervise'] })
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 128, '600'])
  const spec = holder.spec('one#1', { args: [PROGRAM, '127.0.0.1', '1'], slots: [`0:${fields[0]} http a`] })
  const { ok, fields: refused } = await daemon.ask('spawn', [], [spec])
  expect([ok, ...refused.slice(0, 2)]).toEqual([false, 'EBUSY', 'seccomp'])
  expect(await daemon.list('generation')).toEqual([])
})
