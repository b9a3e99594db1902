// Longer than 400 lines: what one library promises to the programs that it is in, each promise a few lines.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { locate } from '../../native/locate.ts'
import { eventually } from '../rig/eventually.ts'
import { freePort } from '../rig/ports.ts'
import { signal } from '../rig/processes.ts'
import { AdoptRig } from './adopt-rig.ts'
import { fetchFrom } from './holder-rig.ts'

/** Loses what it inherited, as Node does to what it starts. */
const LOSING = [
  '/usr/bin/python3',
  '-c',
  'import os, sys; os.closerange(3, 1024); os.execvp(sys.argv[1], sys.argv[1:])',
]
/** Becomes another process of the same group, below a parent that waits for it. */
const FORKING = [
  '/usr/bin/python3',
  '-c',
  'import subprocess, sys; subprocess.run(sys.argv[1:], close_fds=False)',
]

test('a program that binds its port gets the slot that it inherited, with the flags of its own descriptor', async () => {
  await using rig = await AdoptRig.create()
  const code = `
a = socket.socket(); a.setblocking(False); a.bind(('127.0.0.1', PORT)); a.listen(1)
flags = lambda fd: [fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK != 0, fcntl.fcntl(fd, fcntl.F_GETFD)]
say(inode(a.fileno()) == inode(3), flags(a.fileno()))
b = socket.socket(); b.set_inheritable(True); b.bind(('0.0.0.0', PORT))
say(inode(b.fileno()) == inode(3), flags(b.fileno()))`
  expect(await rig.run({ code })).toEqual([
    [true, [true, 1]],
    [true, [false, 0]],
  ])
  expect(await rig.report()).toMatchObject({
    what: 'bound',
    handover: 'preload',
    position: 0,
    narrowed: false,
  })
  expect(await rig.report()).toMatchObject({ what: 'bound', narrowed: true })
})

test.each([
  ['closed by a program above it', LOSING],
  ['lost below a parent of the same group', [...FORKING, ...LOSING]],
  ['lost below setsid', ['setsid', '--wait', ...LOSING]],
])('a slot that was %s is claimed from the holder', async (_, wrapper) => {
  await using rig = await AdoptRig.create()
  const code = `a = listener()\nsay(inode(a.fileno()), os.environ.get('LISTEN_PID'))\na.accept()[0].sendall(b'here')`
  await rig.start({ code, wrapper })
  expect(await fetchFrom({ port: rig.port })).toBe('here')
  expect(await rig.says(1)).toEqual([[expect.stringMatching(/^socket:/), null]])
})

test('every bind of the same port gets a duplicate; other ports, port 0 and UDP are left alone', async () => {
  await using rig = await AdoptRig.create()
  const free = await freePort()
  const code = `
probes = [listener(), listener(socket.AF_INET6, '::'), listener(host='0.0.0.0')]
say(len({inode(each.fileno()) for each in probes} | {inode(3)}))
others = [listener(port=0), listener(port=${free})]
udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('127.0.0.1', PORT))
say([inode(each.fileno()) == inode(3) for each in [*others, udp]], others[1].getsockname())`
  expect(await rig.run({ code })).toEqual([
    [1],
    [
      [false, false, false],
      ['127.0.0.1', free],
    ],
  ])
})

test('a program that closes all its descriptors at start, and one that binds twice, get the slot', async () => {
  await using rig = await AdoptRig.create()
  await rig.start({ code: `os.closerange(0, 1024)\na = listener()\na.accept()[0].sendall(b'closed')` })
  expect(await fetchFrom({ port: rig.port })).toBe('closed')
  const twice = `
a = listener()
try: a.bind(('127.0.0.1', PORT))
except OSError as error: say(error.errno)
a.accept()[0].sendall(b'twice')`
  await rig.start({ id: 'one#2', code: twice })
  expect(await fetchFrom({ port: rig.port })).toBe('twice')
  expect(rig.said()).toEqual([[22]])
})

test('a program with an AF_INET socket sees AF_INET addresses, whichever family its client has', async () => {
  await using rig = await AdoptRig.create()
  const code = `
a = listener(host='0.0.0.0')
say(*a.getsockname())
for _ in range(2):
    connection, peer = a.accept()
    say(peer[0], peer[1] == connection.getpeername()[1], connection.getpeername()[0], connection.getsockname())
    connection.close()
# The next server below a reloader has the descriptors and nothing else.
os.set_inheritable(a.fileno(), True)
os.execv(sys.executable, [sys.executable, '-c', f'''
import socket, json
a = socket.socket(fileno={a.fileno()})
connection, peer = a.accept()
print(json.dumps([int(a.family), peer[0], connection.getpeername()[0]]), flush=True)
'''])`
  await rig.start({ code })
  await fetchFrom({ port: rig.port })
  await fetchFrom({ port: rig.port, host: '::1' })
  await rig.says(3)
  await fetchFrom({ port: rig.port, host: '::1' })
  const here = ['127.0.0.1', true, '127.0.0.1', ['127.0.0.1', rig.port]]
  expect(await rig.says(4)).toEqual([['0.0.0.0', rig.port], here, here, [2, '127.0.0.1', '127.0.0.1']])
})

test('a program with an AF_INET6 socket sees AF_INET6 addresses', async () => {
  await using rig = await AdoptRig.create()
  const code = `
a = listener(socket.AF_INET6, '::')
say(a.getsockname()[0])
for _ in range(2): say(a.accept()[1][0])`
  await rig.start({ code })
  await fetchFrom({ port: rig.port })
  await fetchFrom({ port: rig.port, host: '::1' })
  expect(await rig.says(3)).toEqual([['::'], ['::ffff:127.0.0.1'], ['::1']])
})

test.each(['v4 first', 'v6 first'])(
  'a program with a socket a family (%s) sees each client by its own',
  async (order) => {
    await using rig = await AdoptRig.create()
    const code = `
import ctypes
def own(family, host):
    made = socket.socket(family); made.setblocking(False)
    if family == socket.AF_INET6: made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((host, PORT)); made.listen()
    return made
pair = [(socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')]
own4, own6 = [own(*each) for each in pair] if ${order === 'v4 first' ? 'True' : 'False'} else [own(*each) for each in reversed(pair)][::-1]
libc = ctypes.CDLL(None)
for _ in range(2):
    select.select([own6], [], [])
    room, size = ctypes.create_string_buffer(128), ctypes.c_uint(128)
    connection = socket.socket(fileno=libc.accept(own6.fileno(), room, ctypes.byref(size)))
    say(struct.unpack_from('H', room)[0], connection.family, connection.getpeername()[0]); connection.close()`
    await rig.start({ code })
    await fetchFrom({ port: rig.port })
    await fetchFrom({ port: rig.port, host: '::1' })
    expect(await rig.says(2)).toEqual([
      [2, 2, '127.0.0.1'],
      [10, 10, '::1'],
    ])
  },
)

test('what a program left on its slot is not there for the next one', async () => {
  await using rig = await AdoptRig.create()
  const options = `say([a.getsockopt(*each) for each in [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP),
    (socket.IPPROTO_IPV6, 29)]])`
  const code = `
a = socket.socket()
a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1); a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
a.bind(('127.0.0.1', PORT))
${options}`
  await rig.run({ id: 'one#1', code })
  await rig.run({ id: 'one#2', code: `a = socket.socket(fileno=3)\n${options}` })
  expect(rig.said()).toEqual([[[1, 1, 0, 1]], [[0, 0, 1, 1]]])
})

test('the backlog stays ours, and shutdown() resets nobody', async () => {
  await using rig = await AdoptRig.create()
  const code = `
a = listener()
say(struct.unpack_from('=7xB', a.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))[0] >= 0)
a.shutdown(socket.SHUT_RDWR)
try: a.accept()
except OSError as error: say(error.errno)
b = listener()
b.accept()[0].sendall(b'after')`
  await rig.start({ code })
  expect(await fetchFrom({ port: rig.port })).toBe('after')
  expect((await rig.says(2))[1]).toEqual([22])
  // Send-Q of a listener is its backlog (ss(8)).
  expect(execFileSync('ss', ['-Hltn', `sport = :${rig.port}`], { encoding: 'utf8' })).toContain(' 128 ')
})

test('a program that ignores PORT lives on the held one, and reaches itself by the one that it knows', async () => {
  await using rig = await AdoptRig.create()
  const binds = await freePort()
  const code = `
a = listener()
say(a.getsockname()[1])
for host in ('localhost', '0.0.0.0', '::'):
    own = socket.create_connection((host, PORT))
    connection, _ = a.accept()
    say(connection.getsockname()[1], connection.getpeername()[1] == own.getsockname()[1])
udp = socket.socket(type=socket.SOCK_DGRAM); udp.connect(('127.0.0.1', PORT)); say(udp.getpeername()[1])
a.accept()[0].sendall(b'held')`
  await rig.start({ code, binds })
  // Of UDP it has no slot.
  expect(await rig.says(5)).toEqual([[binds], [binds, true], [binds, true], [binds, true], [binds]])
  expect(await fetchFrom({ port: rig.port })).toBe('held')
})

test.each([
  ['accept', 'a.accept()'],
  ['poll', 'p = select.poll(); p.register(a, select.POLLIN); p.poll(100)'],
  ['select', 'select.select([a], [], [], 0.1)'],
  ['epoll', 'e = select.epoll(); e.register(a, select.EPOLLIN)'],
  ['accept on the inherited descriptor', 'socket.socket(fileno=3).accept()'],
])('a program that waits for connections by %s is reported', async (how, wait) => {
  await using rig = await AdoptRig.create()
  const inherits = how.includes('inherited')
  await rig.start({ code: inherits ? wait : `a = listener()\n${wait}\ntime.sleep(60)` })
  if (!inherits) expect(await rig.report()).toMatchObject({ what: 'bound' })
  const handover = inherits ? 'inherited' : 'preload'
  expect(await rig.report()).toMatchObject({ what: 'accepting', handover, position: 0 })
})

test('a generation gets its own slot, also when another one is steered to', async () => {
  await using rig = await AdoptRig.create()
  const answer = (word: string) =>
    `a = listener()\nsay('${word}')\nwhile True: a.accept()[0].sendall(b'${word}')`
  await rig.daemon.do('fresh', ['a', 1])
  await rig.daemon.do('steer', ['a', 1])
  await rig.start({ id: 'one#2', code: answer('new'), slot: 1, wrapper: LOSING })
  // What drains may bind once more, by its own reloader.
  await rig.start({ id: 'one#1', code: answer('old'), slot: 0, wrapper: LOSING })
  await rig.says(2)
  for (let i = 0; i < 5; i++) expect(await fetchFrom({ port: rig.port })).toBe('new')
  await rig.daemon.do('steer', ['a', 0])
  expect(await fetchFrom({ port: rig.port })).toBe('old')
})

test('a process of no generation may claim nothing, and nobody a slot that there is not', async () => {
  await using rig = await AdoptRig.create()
  using client = await rig.holder.hello('client')
  expect(await client.refusal('claim', [0])).toBe('ESRCH')
  const code = `
claim = lambda place: [part.encode() for part in ('2', 'claim', place)]
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as holder:
    holder.connect(os.environ['DEVSOCK_HOLDER'])
    holder.send(b'\\0'.join([b'1', b'hello', b'1', b'client'])); holder.recv(512)
    for place in ('0', '1', '-1', 'x', '99999999999'):
        holder.send(b'\\0'.join(claim(place))); say(place, holder.recv(512).split(b'\\0')[1:3][0].decode())`
  expect(await rig.run({ code })).toEqual([
    ['0', 'ok'],
    ['1', 'error'],
    ['-1', 'error'],
    ['x', 'error'],
    ['99999999999', 'error'],
  ])
})

test('peers that send garbage, or half of it, and hold their connections open keep nobody from its slot', async () => {
  await using rig = await AdoptRig.create()
  const code = `
garbage = [b'', b'\\xff\\xfe', b'1', b'1\\0hello', b'1\\0hello\\x001\\0daemon', b'2\\0claim\\x000', b'x' * 60000]
hostile = []
for i in range(70):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(os.environ['DEVSOCK_HOLDER'])
    try: peer.send(garbage[i % len(garbage)])
    except OSError: pass
    hostile.append(peer)
os.close(3)
a = listener()
a.accept()[0].sendall(b'here')`
  await rig.start({ code })
  expect(await fetchFrom({ port: rig.port })).toBe('here')
  expect(rig.said()).toEqual([])
})

test('a holder that is busy is waited for', async () => {
  await using rig = await AdoptRig.create()
  const code = `
holder = os.getppid()
os.kill(holder, signal.SIGSTOP)
if os.fork() == 0:
    time.sleep(0.2); os.kill(holder, signal.SIGCONT); os._exit(0)
began = time.monotonic()
a = listener()
say(time.monotonic() - began > 0.1)
a.accept()[0].sendall(b'here')`
  await rig.start({ code: `import signal${code}`, wrapper: LOSING })
  expect(await rig.says(1)).toEqual([[true]])
  expect(await fetchFrom({ port: rig.port })).toBe('here')
})

test('a holder that is gone or does not answer costs three seconds, then EADDRINUSE and a line that says why', async () => {
  await using rig = await AdoptRig.create()
  const code = `
began = time.monotonic()
try: listener()
except OSError as error: say(error.errno, 2.9 < time.monotonic() - began < 6)
else: say('bound')`
  const silent = join(rig.holder.dir, 'silent.sock')
  const mute = `import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind('${silent}'); s.listen(5); time.sleep(60)`
  await rig.daemon.do('spawn', [], [rig.holder.spec('mute#1', { args: ['/usr/bin/python3', '-c', mute] })])
  const timer =
    'import signal; signal.signal(14, lambda *_: 0); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)'
  const cases = [
    ['/nonexistent/holder.sock', ''],
    [silent, ''],
    [silent, timer],
  ] as const
  for (const [place, [path, before]] of cases.entries()) {
    const id = `one#${place}`
    await rig.start({ id, code: before + code, env: { DEVSOCK_HOLDER: path }, wrapper: LOSING })
    await rig.daemon.event('gone', id)
  }
  const why = `devsock: port ${rig.port} could not be handed to this program: the holder did not answer within three seconds; it gets "address already in use"`
  expect(rig.holder.said()).toBe(`${why}\n[98, true]\n`.repeat(3))
})

test('two hundred processes that bind at once all get the slot', async () => {
  await using rig = await AdoptRig.create()
  const code = `
read, write = os.pipe()
for _ in range(200):
    if os.fork() == 0:
        os.close(3); os.close(write); os.read(read, 1)
        try: answer = inode(listener().fileno())
        except OSError as error: answer = str(error)
        print(json.dumps([answer]), flush=True); os._exit(0)
os.close(read); os.close(write)
for _ in range(200): os.wait()`
  await rig.start({ code })
  // Two hundred processes have to be made first.
  await eventually(() => rig.holder.said().trim().split('\n').length >= 200, { deadline: 25_000 })
  const said = rig.said()
  expect(said).toHaveLength(200)
  expect(new Set(said.flat()).size).toBe(1)
})

test('eight SO_REUSEPORT workers share the slot; one that forked after bind outlives its parent', async () => {
  await using rig = await AdoptRig.create()
  const code = `
for worker in range(8):
    if os.fork() == 0:
        a = socket.socket(); a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        a.bind(('127.0.0.1', PORT)); a.listen(); say(inode(a.fileno()))
        while True: a.accept()[0].sendall(b'worker')
time.sleep(60)`
  await rig.start({ code })
  expect(new Set((await rig.says(8)).flat()).size).toBe(1)
  for (let i = 0; i < 20; i++) expect(await fetchFrom({ port: rig.port })).toBe('worker')
  await rig.daemon.do('fresh', ['a', 1])
  await rig.daemon.do('steer', ['a', 1])
  const forking = `a = listener()\nif os.fork() == 0: os.setsid(); a.accept()[0].sendall(b'child')`
  await rig.start({ id: 'two#1', code: forking, slot: 1 })
  await rig.daemon.event('exited', 'two#1')
  expect(await fetchFrom({ port: rig.port })).toBe('child')
})

test('below a wrapper LISTEN_PID is exact where the slots came through, and absent where they did not', async () => {
  await using rig = await AdoptRig.create()
  const code = `say(os.environ.get('LISTEN_PID') == str(os.getpid()), [n for n in sorted(os.environ) if n.startswith('LISTEN_')])`
  await rig.run({ id: 'a#1', code, wrapper: FORKING })
  await rig.run({ id: 'b#1', code, wrapper: LOSING })
  expect(rig.said()).toEqual([
    [true, ['LISTEN_FDNAMES', 'LISTEN_FDS', 'LISTEN_PID']],
    [false, []],
  ])
})

test('DEVSOCK=0 turns it off', async () => {
  await using rig = await AdoptRig.create()
  const code = `
try: listener()
except OSError as error: say(error.errno)`
  expect(await rig.run({ code, env: { DEVSOCK: '0' } })).toEqual([[98]])
})

test('the next holder knows what the programs of a generation may claim', async () => {
  await using rig = await AdoptRig.create()
  const [socket] = await rig.daemon.list('socket')
  const go = join(rig.holder.dir, 'go')
  await rig.start({
    code: `while not os.path.exists('${go}'): time.sleep(0.01)\na = listener()\na.accept()[0].sendall(b'again')`,
    wrapper: LOSING,
  })
  const [generation] = await rig.daemon.list('generation')
  if (!socket || !generation) throw new Error('unreachable')
  await rig.holder.kill()
  // The stand-in for the daemon has the lock.
  signal(Number(/daemon (\d+) started/.exec(rig.holder.log())?.[1]), 'SIGKILL')
  await eventually(() => rig.holder.isUnlocked())
  await rig.holder.restart()
  const daemon = await rig.holder.hello('daemon')
  await daemon.do('store', socket.fields, socket.descriptors)
  const [id = '', pid = '', start = '', , , , ready = '', , invocation = '', ...slots] = generation.fields
  await daemon.do('adopt', [id, pid, start, invocation, ready, ...slots], generation.descriptors)
  writeFileSync(go, '')
  expect(await fetchFrom({ port: rig.port })).toBe('again')
})

test('lines of a C program are in its log when they are printed', async () => {
  await using rig = await AdoptRig.create()
  const source = join(rig.holder.dir, 'server.c')
  const program = join(rig.holder.dir, 'server')
  writeFileSync(
    source,
    `#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))}, peer;
  if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || listen(fd, 5) != 0) return 1;
  printf("[\\"listening\\"]\\n");
  for (socklen_t size = sizeof peer; accept(fd, (struct sockaddr *)&peer, &size) >= 0; size = sizeof peer)
    printf("[\\"%s\\"]\\n", inet_ntoa(peer.sin_addr));
}`,
  )
  execFileSync('cc', ['-o', program, source])
  await rig.start({ code: '', wrapper: [program] })
  expect(await rig.says(1)).toEqual([['listening']])
  const client = connect(rig.port, '127.0.0.1')
  await once(client, 'connect')
  expect(await rig.says(2)).toEqual([['listening'], ['127.0.0.1']])
  client.destroy()
})

test('where the library is not to be seen, behind chroot, nobody complains', async () => {
  await using rig = await AdoptRig.create()
  const root = join(rig.holder.dir, 'root')
  const needed = execFileSync('ldd', ['/bin/true'], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
  mkdirSync(root)
  for (const file of ['/bin/true', ...needed]) {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
  const become = process.getuid?.() === 0 ? [] : ['unshare', '-r']
  const args = [...become, 'chroot', root, '/bin/true']
  await rig.daemon.do(
    'spawn',
    [],
    [rig.holder.spec('in#1', { args, slots: ['0 http a'], env: rig.environment() })],
  )
  expect((await rig.daemon.event('exited', 'in#1')).args[1]).toBe('0')
  expect(rig.holder.said()).toBe('')
})

test('in a program that gains privileges ld.so leaves the library out without a word', async () => {
  await using rig = await AdoptRig.create()
  const own = join(rig.holder.dir, 'own')
  copyFileSync('/bin/true', own)
  const isRoot = process.getuid?.() === 0
  // Whoever runs it, it becomes somebody else: AT_SECURE (getauxval(3)).
  if (isRoot)
    execFileSync('sh', ['-c', `chown nobody ${own} && chmod 4755 ${own} && chmod 755 ${rig.holder.dir}`])
  const args = isRoot ? [own] : ['su', '--version']
  const spec = rig.holder.spec('in#1', { args, slots: ['0 http a'], env: rig.environment() })
  await rig.daemon.do('spawn', [], [spec])
  expect((await rig.daemon.event('exited', 'in#1')).args[1]).toBe('0')
  expect(rig.holder.said()).not.toContain('ld.so')
})

test('the library is small, and needs no other', () => {
  const library = locate('devsock-adopt.so')
  expect(statSync(library).size).toBeLessThanOrEqual(100 * 1024)
  expect(execFileSync('readelf', ['-d', library], { encoding: 'utf8' })).not.toContain('NEEDED')
})
