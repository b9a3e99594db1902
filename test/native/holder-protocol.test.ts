import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connectSeqpacket, memoryFile } from '../../native/index.ts'
import { eventually } from '../rig/eventually.ts'
import { listeningPorts } from '../rig/ports.ts'
import { signal } from '../rig/processes.ts'
import { answering, fetchFrom, HolderProcess, open, TestHolder, withDeadline } from './holder-rig.ts'

test('a peer says hello first, once, in a version that is spoken', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const peer = holder.peer()
  expect(await peer.refusal('list')).toBe('EPERM')
  expect(await peer.refusal('hello', [2, 'client'])).toBe('EPROTONOSUPPORT')
  expect(await peer.refusal('hello', [1, 'king'])).toBe('EINVAL')
  expect(await peer.refusal('hello', [1, 'daemon'])).toBe('EBUSY')
  expect((await peer.do('hello', [1, 'client'])).fields).toEqual(['1', String(holder.pid)])
  expect(await peer.refusal('hello', [1, 'client'])).toBe('EINVAL')
  expect(await daemon.refusal('hello', [1, 'daemon'])).toBe('EINVAL')
})

test('a daemon that went makes room for the next', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  daemon[Symbol.dispose]()
  const next = holder.peer()
  await eventually(async () => (await next.ask('hello', [1, 'daemon'])).ok)
})

test('a client may look and change nothing', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const client = await holder.hello('client')
  expect((await client.do('fetch', ['a'])).fields).toEqual(['loopback:0', fields[0], '0', '0', '16', '600'])
  expect((await client.do('list')).items).toHaveLength(1)
  for (const verb of [
    'bind',
    'fresh',
    'steer',
    'spawn',
    'arm',
    'disarm',
    'watch',
    'signal',
    'strays',
    'forget',
  ])
    expect(await client.refusal(verb), verb).toBe('EPERM')
  for (const verb of ['relay', 'store', 'adopt', 'drop', 'shutdown'])
    expect(await client.refusal(verb), verb).toBe('EPERM')
})

test('every malformed message gets an error answer with its number, and changes nothing', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const before = await daemon.list('socket')
  const bad: [string | Uint8Array, string][] = [
    ['x', 'begins with its number'],
    ['\0', 'begins with its number'],
    ['-1\0list', 'begins with its number'],
    [`${'9'.repeat(17)}\0list`, 'begins with its number'],
    ['7', 'no verb'],
    ['7\0', 'no verb'],
    ['7\0nonsense', 'unknown verb'],
    ['7\0list\0', 'no arguments'],
    [`7\0bind${'\0'.repeat(100)}`, 'too many fields'],
    [Buffer.from([0x37, 0, 0xff]), 'UTF-8'],
    [Buffer.from([0x37, 0, 0xed, 0xa0, 0x80]), 'UTF-8'],
    ['7\0bind\0a', 'wrong number of arguments'],
    ['7\0bind\0b\0loopback:0\x0016\x00600\0more', 'wrong number of arguments'],
    ['7\0bind\0b\0loopback:65536\x0016\x00600', 'port'],
    ['7\0bind\0b\0loopback:-1\x0016\x00600', 'port'],
    ['7\0bind\0b\0loopback: 1\x0016\x00600', 'port'],
    ['7\0bind\0b\0nowhere:1\x0016\x00600', 'kind'],
    ['7\0bind\0b\0ip:localhost:1\x0016\x00600', 'numeric'],
    ['7\0bind\0b\0unix:relative\x0016\x00600', 'absolute'],
    ['7\0bind\0b\0loopback:0\x000\x00600', 'backlog'],
    ['7\0bind\0b\0loopback:0\x00many\x00600', 'backlog'],
    ['7\0bind\0b\0loopback:0\x0016\x00900', 'mode'],
    ['7\0bind\0\0loopback:0\x0016\x00600', 'name'],
    [`7\0bind\0${'x'.repeat(256)}\0loopback:0\x0016\x00600`, 'name'],
    ['7\0fresh\0a\0one', 'number'],
    ['7\0fresh\0a\x007', 'next slot'],
    ['7\0steer\0a\x001', 'no slot 1'],
    ['7\0steer\0a\0-0', 'no slot'],
    ['7\0spawn', 'descriptors'],
    ['7\0signal\0x\x00999\0all', 'signal'],
    ['7\0signal\0x\x009\0everybody', 'signal'],
    ['7\0adopt\0x\x001\x001\x001\x001', 'adopt ID PID'],
  ]
  for (const [bytes, words] of bad) {
    const { ok, fields } = await daemon.raw(bytes)
    expect(ok, words).toBe(false)
    expect(fields[0], words).toBe('EINVAL')
    expect(fields[2]).toContain(words)
  }
  using file = memoryFile('x', Buffer.from('x'))
  expect((await daemon.raw('7\0list', [file])).ok).toBe(true)
  expect((await daemon.raw('7\0steer\0a\x000', [file])).fields[0]).toBe('EINVAL')
  expect((await daemon.raw(`7\0bind\0${'x'.repeat(70_000)}`)).fields[2]).toContain('64 KiB')
  expect(await daemon.refusal('steer', ['none', 0])).toBe('ENOENT')
  expect((await daemon.list('socket')).map(({ fields }) => fields)).toEqual(
    before.map(({ fields }) => fields),
  )
})

test('a long random run of almost right messages is answered one by one', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const verbs = [
    'bind',
    'fresh',
    'steer',
    'spawn',
    'arm',
    'disarm',
    'watch',
    'signal',
    'strays',
    'forget',
    'relay',
  ]
  const words = [
    'a',
    'b',
    '0',
    '1',
    '4',
    '600',
    '',
    'loopback:0',
    'ip:127.0.0.1:0',
    'x\0',
    '\x7f',
    'leader',
    '9',
    '-1',
  ]
  verbs.push('fetch', 'store', 'adopt', 'drop', 'list', 'hello')
  let seed = 20_251_120
  const pick = <T>(from: readonly T[]): T => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return from[Math.floor((seed / 2 ** 31) * from.length)] as T
  }
  using file = memoryFile('x', Buffer.from('id=x\0'))
  for (let i = 0; i < 3000; i++) {
    const fields = Array.from({ length: pick([0, 1, 2, 2, 3, 4, 4, 5, 7]) }, () => pick(words))
    const answer = await daemon.ask(pick(verbs), fields, pick([true, false, false]) ? [file] : [])
    for (const each of [...answer.descriptors, ...answer.items.flatMap(({ descriptors }) => descriptors)])
      each.close()
  }
  await daemon.do('list')
})

test('a peer that never reads is not read from either, and nobody else waits for it', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  for (let i = 0; i < 20; i++) await daemon.do('bind', [`s${i}`, 'loopback:0', 16, '600'])
  const deaf = connectSeqpacket(holder.socketPath)
  deaf.send(Buffer.from('1\0hello\x001\0client'))
  for (let i = 0; i < 20_000; i++) deaf.send(Buffer.from(`${i}\0list`))
  const client = await holder.hello('client')
  const began = performance.now()
  for (let i = 0; i < 20; i++) await client.do('list')
  expect(performance.now() - began).toBeLessThan(2000)
  const descriptors = readdirSync(`/proc/${holder.pid}/fd`).length
  expect(descriptors).toBeLessThan(100)
  deaf.close()
  await client.do('list')
})

test('out of descriptors, the holder refuses in words, turns new clients away, and goes on', async () => {
  const { holder, daemon } = await TestHolder.start({ wrapper: ['prlimit', '--nofile=40:40'] })
  await using _ = holder
  let refused: string[] = []
  for (let i = 0; refused.length === 0; i++) {
    const { ok, fields } = await daemon.ask('bind', [`s${i}`, 'loopback:0', 16, '600'])
    if (!ok) refused = fields
    if (i > 60) throw new Error('the limit was never reached')
  }
  expect(refused[0]).toBe('EMFILE')
  const spec = holder.spec('x#1', { args: ['true'] })
  expect((await daemon.ask('spawn', [], [spec])).fields[0]).toBe('EMFILE')
  const away = holder.peer()
  await eventually(() => away.closed)
  for (let i = 0; i < 10; i++) await daemon.do('drop', [`s${i}`])
  const client = await holder.hello('client')
  expect((await client.do('list')).ok).toBe(true)
  await daemon.do('spawn', [], [spec])
  await daemon.event('gone', 'x#1')
})

test('clients that cannot even be turned away wait, and cost nothing meanwhile', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const limit = (soft: number) => execFileSync('prlimit', [`--pid=${holder.pid}`, `--nofile=${soft}:`])
  limit(3)
  const waiting = holder.peer()
  const before = ticks(holder.pid)
  await delay(1_000)
  expect(ticks(holder.pid) - before).toBeLessThan(10)
  expect((await daemon.do('list')).ok).toBe(true)
  limit(1_000)
  expect((await waiting.do('hello', [1, 'client'])).ok).toBe(true)
  expect(holder.log().match(/turned away/g)).toHaveLength(1)
})

test('out of descriptors, the holder still sees who lives: groups are signalled, and none is gone too early', async () => {
  const { holder, daemon } = await TestHolder.start({ wrapper: ['prlimit', '--nofile=40:40'] })
  await using _ = holder
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['sh', '-c', 'sleep 1000 & wait'] })])
  for (let i = 0; (await daemon.ask('bind', [`s${i}`, 'loopback:0', 16, '600'])).ok; i++);
  // The last ones, if any are left: each client takes one.
  const clients = Array.from({ length: 8 }, () => holder.peer())
  await eventually(() => clients.some(({ closed }) => closed))
  await daemon.do('signal', ['x#1', 9, 'leader'])
  // The sleep goes on.
  expect((await daemon.event('exited', 'x#1')).args).toEqual(['x#1', '', '9', '1'])
  expect((await daemon.do('signal', ['x#1', 9, 'group'])).fields).toEqual(['1'])
  await daemon.event('gone', 'x#1')
})

test('a log that has grown is put aside for a new one, by whoever has the lock alone', async () => {
  const { holder } = await TestHolder.start()
  await using _ = holder
  const before = `${holder.logFile}~`
  const grow = (bytes: number) => writeFileSync(holder.logFile, 'x'.repeat(bytes))
  grow((1 << 20) + 1)
  expect(await holder.another().ended()).toBe(10)
  expect(existsSync(before)).toBe(false)
  const again = async () => {
    signal(holder.pid, 'SIGTERM')
    await holder.process.ended()
    await holder.restart()
    await holder.hello('client')
  }
  await again()
  expect(statSync(before).size).toBeGreaterThan(1 << 20)
  expect(holder.log()).toMatch(/^\S+ holder\[\d+\] started\n/)

  grow(1_000)
  await again()
  expect(holder.log()).toMatch(/^x+\S+ holder\[\d+\] shutting down\n/)
})

test('shutdown ends everything, however stubborn, and leaves nothing', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const path = join(holder.dir, 'app.sock')
  const { fields, descriptors } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  for (const each of descriptors) each.close()
  await daemon.do('bind', ['u', `unix:${path}`, 16, '600'])
  await daemon.do('fresh', ['u', 1])
  const stubborn = `trap '' TERM HUP INT; setsid -f sh -c 'trap "" TERM; while :; do sleep 1; done'; while :; do sleep 1; done`
  await daemon.do('spawn', [], [holder.spec('a#1', { args: answering('one'), slots: ['0 http a'] })])
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['sh', '-c', stubborn] })])
  await eventually(async () => (await daemon.do('strays', ['x#1'])).fields.length >= 1)
  const port = Number(fields[0])
  expect(await fetchFrom({ port })).toBe('one')

  await daemon.do('shutdown')
  expect((await listeningPorts()).has(port)).toBe(false)
  expect(existsSync(path) || existsSync(`${path}~`)).toBe(false)
  expect(await holder.process.ended()).toBe(0)
  expect(await holder.processes()).toEqual([])
  expect(readdirSync(holder.dir).sort()).toEqual(['holder.log', 'out.log'])
})

test('SIGTERM is a shutdown, SIGHUP and a closed terminal are nothing', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['sleep', '1000'] })])
  signal(holder.pid, 'SIGHUP')
  signal(holder.pid, 'SIGPIPE')
  await daemon.do('list')
  signal(holder.pid, 'SIGTERM')
  expect(await holder.process.ended()).toBe(0)
  expect(await holder.processes()).toEqual([])
})

test('a holder lets go of its caller: another session, no descriptor, no folder', async () => {
  const { holder } = await TestHolder.start()
  await using _ = holder
  await eventually(() => holder.process.child.stderr?.destroyed)
  const stat = readFileSync(`/proc/${holder.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  expect(stat[3]).toBe(String(holder.pid))
  const link = (name: string) =>
    execFileSync('readlink', [`/proc/${holder.pid}/${name}`])
      .toString()
      .trim()
  expect([link('cwd'), link('fd/0'), link('fd/1'), link('fd/2')]).toEqual([
    '/',
    '/dev/null',
    holder.logFile,
    holder.logFile,
  ])
  for (const name of ['holder.sock', 'n', 'lock', 'holder.log'])
    expect(lstatSync(join(holder.dir, name)).mode & 0o077, name).toBe(0)
})

test.each([
  ['a folder that others may read', (dir: string) => chmodSync(dir, 0o755), 'chmod 700'],
  [
    'a symbolic link',
    (dir: string) => {
      rmSync(dir, { recursive: true })
      symlinkSync(tmpdir(), dir)
    },
    'symbolic link',
  ],
  ['no folder', (dir: string) => rmSync(dir, { recursive: true }), 'No such file'],
  [
    'a path too long for a socket',
    (dir: string) => mkdirSync(join(dir, 'x'.repeat(90)), { mode: 0o700 }),
    'at most 107 bytes',
    'x'.repeat(90),
  ],
] as const)('%s is no runtime folder: one line, exit 3', async (_name, spoil, words, below = '') => {
  const dir = mkdtempSync(join(tmpdir(), 'devsock-folder-'))
  try {
    spoil(dir)
    const refused = new HolderProcess(join(dir, below), '/dev/null', {})
    expect(await refused.ended()).toBe(3)
    expect(refused.stderr).toContain(words)
    expect(refused.stderr.trim().split('\n')).toHaveLength(1)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('nobody else gets in: not by the file system, and not past it', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  expect(statSync(holder.dir).mode & 0o777).toBe(0o700)
  expect(statSync(holder.socketPath).mode & 0o777).toBe(0o600)
  // Only root can become somebody else, to try it.
  if (process.getuid?.() !== 0) return
  const attempt = `import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    s.connect(${JSON.stringify(holder.socketPath)})
    s.settimeout(5)
    try: s.send(b'1\\0hello\\x001\\0client')
    except BrokenPipeError: pass
    try: print('answer', s.recv(100))
    except ConnectionResetError: print('answer', b'')
except PermissionError: print('refused')`
  const asNobody = () => execFileSync('python3', ['-c', attempt]).toString()
  expect(asNobody()).toBe('refused\n')
  chmodSync(holder.dir, 0o711)
  chmodSync(holder.socketPath, 0o777)
  expect(asNobody()).toBe("answer b''\n")
  expect(holder.log()).toContain('a client of user 65534 was turned away')
  await daemon.do('list')

  const dir = mkdtempSync(join(tmpdir(), 'devsock-folder-'))
  chownSync(dir, 65534, 65534)
  const refused = new HolderProcess(dir, '/dev/null', {})
  expect(await refused.ended()).toBe(3)
  expect(refused.stderr).toContain('belongs to user 65534')
  rmSync(dir, { recursive: true })
})

test('wrong options are a usage error', async () => {
  for (const options of [['--nonsense'], ['--lock-fd', 'x'], ['--runtime', 'relative']]) {
    const refused = new HolderProcess('/nowhere', '/dev/null', { options })
    expect(await refused.ended()).toBe(2)
    expect(refused.stderr).toContain('usage:')
  }
})

test('an idle holder with connections, watches and armed specs uses no processor time', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  await daemon.do('arm', ['key'], [holder.spec('a#1', { args: ['sleep', '1000'], slots: ['0 http a'] })])
  const client = await open(Number(fields[0]))
  await daemon.event('spawned', 'key')
  const busy = spawn('sleep', ['0.5'])
  const before = ticks(holder.pid)
  await ended(busy)
  expect(ticks(holder.pid) - before).toBeLessThanOrEqual(1)
  client.destroy()
})

const ended = (child: ChildProcess) => withDeadline(once(child, 'exit'), () => 'its end')

/** utime and stime, fields 14 and 15 of proc_pid_stat(5). */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}
