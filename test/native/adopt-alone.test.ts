/** The preload library in processes that bind no port of their generation: they are as they would be without it. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../rig/ports.ts'
import { AdoptRig } from './adopt-rig.ts'

/** `PORT`: does what servers and clients do, on ports that are not the generation's; says which addresses it got. */
const PROGRAM = `#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listener(int family, int type, void *address, socklen_t size) {
  const int fd = socket(family, type, 0);
  if (bind(fd, address, size) != 0 || (type == SOCK_STREAM && listen(fd, 5) != 0)) exit(1);
  if (getsockname(fd, address, &size) != 0) exit(1);
  return fd;
}

static int client(int family, int type, void *address, socklen_t size) {
  const int fd = socket(family, type, 0), off = 0;
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof off);
  if (connect(fd, address, size) != 0) exit(1);
  return fd;
}

static int said(int fd, struct sockaddr_storage *peer, socklen_t size) {
  if (fd < 0) exit(1);
  printf("%d/%d ", peer->ss_family, size);
  return fd;
}

static int taken(int fd, socklen_t room) {
  struct sockaddr_storage peer;
  fd = accept(fd, (void *)&peer, &room);
  return said(fd, &peer, room);
}

int main(int count, char **words) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, other = any, udp = any;
  struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "./alone.sock"};
  struct sockaddr_storage peer;
  socklen_t large = sizeof peer;
  other.sin_port = htons(atoi(words[1]));
  listener(AF_INET, SOCK_STREAM, &other, sizeof other);
  listener(AF_INET, SOCK_DGRAM, &udp, sizeof udp);
  const int path = listener(AF_UNIX, SOCK_STREAM, &named, sizeof named);
  const int inet6 = listener(AF_INET6, SOCK_STREAM, &any6, sizeof any6);
  const int inet = listener(AF_INET, SOCK_STREAM, &any, sizeof any);
  client(AF_UNIX, SOCK_STREAM, &named, sizeof named);
  client(AF_INET6, SOCK_STREAM, &any6, sizeof any6);
  client(AF_INET6, SOCK_STREAM, &any6, sizeof any6);
  client(AF_INET, SOCK_STREAM, &any, sizeof any);
  const int udp6 = client(AF_INET6, SOCK_DGRAM, &any6, sizeof any6);

  struct pollfd waits = {inet, POLLIN, 0};
  struct epoll_event event = {.events = EPOLLIN};
  const int epoll = epoll_create1(0);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(inet, &set);
  if (poll(&waits, 1, -1) != 1 || select(inet + 1, &set, NULL, NULL, NULL) != 1) return 1;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, inet, &event) != 0 || epoll_wait(epoll, &event, 1, -1) != 1) return 1;
  shutdown(taken(inet, sizeof peer), SHUT_RDWR);
  taken(path, sizeof peer);
  taken(inet6, sizeof peer);
  taken(inet6, sizeof any);
  if (getpeername(udp6, (void *)&peer, &large) != 0) return 1;
  said(udp6, &peer, large);
  return shutdown(inet, SHUT_RDWR) | unlink(named.sun_path) | puts("") < 0;
}
`

/** Says what a process can see of itself; then the same without the library, as the same process. */
const SELF = `
seen = ('Threads', 'SigBlk', 'SigIgn', 'SigCgt', 'NoNewPrivs', 'Seccomp', 'Umask')
preloaded = os.environ.pop('LD_PRELOAD', None)
say({
  'files': sorted({line.split()[5] for line in open('/proc/self/maps') if '/' in line} - {preloaded}),
  'descriptors': [[fd, inode(fd)] for fd in range(1024) if os.path.exists(f'/proc/self/fd/{fd}')],
  'limits': open('/proc/self/limits').read(),
  'status': [line for line in open('/proc/self/status') if line.split(':')[0] in seen],
  'environment': dict(os.environ),
})
if preloaded: os.execv(sys.executable, sys.orig_argv)`

const SOURCES = join(import.meta.dirname, '../../native/adopt')

/** What the library can ask of the kernel: it calls syscall(2), and but for next.c nothing else (adopt-programs). */
const CALLS = new Set(
  readdirSync(SOURCES)
    .filter((name) => name.endsWith('.c') && name !== 'next.c')
    .flatMap((name) => readFileSync(join(SOURCES, name), 'utf8').match(/(?<=\bSYS_)\w+/g) ?? []),
)

/** With what it begins all that is more than a look: to ask the holder, to tell the daemon, to change a socket. */
const DEEDS = new Set(['socket', 'setsockopt', 'dup3'])

/** Which system calls, of these, the library made of its own in a generation's processes, in order. */
async function ownCalls(rig: AdoptRig, id: string, calls: Set<string>, args: string[]): Promise<string[]> {
  const trace = join(rig.holder.dir, `${id}.trace`)
  // -k: with the stack of each call.
  const strace = ['strace', '-f', '-k', '-qq', '-o', trace, '-e', `trace=${[...calls].join()}`, ...args]
  const options = { args: strace, slots: ['0 http a'], env: rig.environment() }
  await rig.daemon.do('spawn', [], [rig.holder.spec(id, options)])
  expect((await rig.daemon.event('exited', id)).args[1]).toBe('0')
  const made = readFileSync(trace, 'utf8').split(/\n(?! > )/)
  const own = made.filter(
    (call) => / > \S*libc\S*\(syscall\+/.test(call) && call.includes('devsock-adopt.so('),
  )
  return own.map((call) => /^\d+ +(?:<\.\.\. )?(\w+)/.exec(call)?.[1] ?? call)
}

function compile(rig: AdoptRig): string {
  const program = join(rig.holder.dir, 'program')
  writeFileSync(`${program}.c`, PROGRAM)
  execFileSync('cc', ['-o', program, `${program}.c`])
  return program
}

test('in a process without sockets it looks at its pid and its slots, for LISTEN_PID, and does no more', async () => {
  await using rig = await AdoptRig.create()
  expect(await ownCalls(rig, 'one#1', CALLS, ['/bin/true'])).toEqual(['getpid', 'fstat'])
})

test('in a program that binds, serves and connects elsewhere it looks whether a socket is a slot, and does no more', async () => {
  await using rig = await AdoptRig.create()
  const calls = await ownCalls(rig, 'one#1', CALLS, [compile(rig), String(await freePort())])
  expect([...new Set(calls)].sort()).toEqual(['fstat', 'getpid', 'getsockname', 'getsockopt'])
})

test.each<[string, (port: number) => string[]]>([
  [
    'python3',
    (port) => ['/usr/bin/python3', '-c', `import urllib.request as r; r.urlopen('http://127.0.0.1:${port}')`],
  ],
  ['node', (port) => [process.execPath, '-e', `fetch('http://127.0.0.1:${port}')`]],
  ['curl', (port) => ['curl', '--silent', '--noproxy', '*', `http://127.0.0.1:${port}`]],
])('nobody is asked or told, and nothing changed, in a client: %s', async (_, command) => {
  await using rig = await AdoptRig.create()
  const server = createServer((_, response) => response.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const { port } = server.address() as AddressInfo
    expect(await ownCalls(rig, 'one#1', DEEDS, command(port))).toEqual([])
  } finally {
    server.close()
  }
})

test('what would be seen is seen: the same look at a program that binds its port', async () => {
  await using rig = await AdoptRig.create()
  const bind = `import os, socket; socket.socket().bind(('127.0.0.1', int(os.environ['PORT'])))`
  const calls = await ownCalls(rig, 'one#1', DEEDS, ['/usr/bin/python3', '-c', bind])
  expect(new Set(calls)).toEqual(DEEDS)
})

test('addresses of sockets that are not the generation’s are what the kernel says', async () => {
  await using rig = await AdoptRig.create()
  const program = compile(rig)
  const port = String(await freePort())
  for (const LD_PRELOAD of [rig.environment().LD_PRELOAD ?? '', '']) {
    const options = { args: [program, port], slots: ['0 http a'], env: { ...rig.environment(), LD_PRELOAD } }
    await rig.daemon.do('spawn', [], [rig.holder.spec(`one#${LD_PRELOAD}`, options)])
    await rig.daemon.event('exited', `one#${LD_PRELOAD}`)
  }
  const [adopted, without] = rig.holder.said().split('\n')
  expect(without).toBe('2/16 1/2 10/28 10/28 10/28 ')
  expect(adopted).toBe(without)
})

test('a process has the descriptors, files, signals, threads and environment that it would have without it', async () => {
  await using rig = await AdoptRig.create()
  const [self, without] = await rig.run({ code: SELF })
  expect(without).toBeDefined()
  expect(self).toEqual(without)
})
