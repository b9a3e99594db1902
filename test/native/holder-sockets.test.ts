import { once } from 'node:events'
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server, Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { accept, probe, queueDepth, socketInfo } from '../../native/index.ts'
import { eventually } from '../rig/eventually.ts'
import { signal } from '../rig/processes.ts'
import { answering, fetchFrom, type HolderPeer, open, TestHolder } from './holder-rig.ts'

async function bind(daemon: HolderPeer, name: string, address: string): Promise<number> {
  const { fields, descriptors } = await daemon.do('bind', [name, address, 4096, '600'])
  // A duplicate keeps the port, whoever has it.
  for (const each of descriptors) each.close()
  return Number(fields[0])
}

/** Somebody else's listener. */
async function foreign(options: { host: string; port: number; reusePort?: boolean }): Promise<Server> {
  const server = createServer()
  server.listen({ ...options, exclusive: true })
  await once(server, 'listening')
  return server
}

test('a loopback socket answers on both families and on no address of the network', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  await daemon.do('spawn', [], [holder.spec('a#1', { args: answering('one'), slots: ['0 http a'] })])
  expect(await fetchFrom({ port })).toBe('one')
  expect(await fetchFrom({ port, host: '::1' })).toBe('one')
  expect(await fetchFrom({ port, host: '127.1.2.3' })).toBe('one')
  const outer = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')
  if (outer) await expect(open(port, outer.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('an address says what it is bound to', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  for (const [address, literal] of [
    ['ip:127.0.0.1:0', '127.0.0.1'],
    ['ip:[::1]:0', '::1'],
    ['wildcard:0', '::'],
    ['loopback:0', '::'],
  ] as const) {
    const { fields, descriptors } = await daemon.do('bind', [address, address, 16, '600'])
    const [listener] = descriptors
    if (!listener) throw new Error('no descriptor')
    expect(socketInfo(listener)).toEqual({
      family: literal.includes(':') ? 'inet6' : 'inet',
      type: 'stream',
      listening: true,
      address: literal,
      port: Number(fields[0]),
    })
  }
})

test.each([
  { host: '127.0.0.1', reusePort: false },
  { host: '127.0.0.1', reusePort: true },
  { host: '::1', reusePort: false },
  { host: '::1', reusePort: true },
  { host: '0.0.0.0', reusePort: false },
  { host: '0.0.0.0', reusePort: true },
  { host: '::', reusePort: true },
])(
  'a port that somebody has on $host (SO_REUSEPORT $reusePort) is a conflict',
  async ({ host, reusePort }) => {
    const { holder, daemon } = await TestHolder.start()
    await using _ = holder
    const server = await foreign({ host, port: 0, reusePort })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const kinds = [`loopback:${address.port}`, `wildcard:${address.port}`]
    for (const each of kinds)
      expect(await daemon.refusal('bind', ['a', each, 16, '600']), each).toBe('EADDRINUSE')
    server.close()
    await once(server, 'close')
    for (const each of kinds) {
      expect(await bind(daemon, 'a', each)).toBe(address.port)
      await daemon.do('drop', ['a'])
    }
  },
)

test('nobody gets a held port, whatever address is tried; the reply names the port', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  for (const host of ['127.0.0.1', '::1', '0.0.0.0', '::'])
    await expect(foreign({ host, port }), host).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const { fields } = await daemon.ask('bind', ['b', `loopback:${port}`, 16, '600'])
  expect(fields).toEqual(['EADDRINUSE', 'bind', `localhost:${port}: Address already in use`])
})

test('a port is bound again at once after a drop, past connections in TIME_WAIT', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  await daemon.do('spawn', [], [holder.spec('a#1', { args: answering('one'), slots: ['0 http a'] })])
  for (let i = 0; i < 5; i++) expect(await fetchFrom({ port })).toBe('one')
  await daemon.do('signal', ['a#1', 9, 'all'])
  await daemon.event('gone', 'a#1')
  await daemon.do('drop', ['a'])
  expect(await bind(daemon, 'a', `loopback:${port}`)).toBe(port)
})

test('steering moves new connections at once; what waits in a slot stays in it', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields, descriptors } = await daemon.do('bind', ['a', 'loopback:0', 4096, '600'])
  const port = Number(fields[0])
  const fresh = await daemon.do('fresh', ['a', 1])
  expect(fresh.fields).toEqual([''])
  const [zero, one] = [descriptors[0], fresh.descriptors[0]]
  if (!zero || !one) throw new Error('no descriptors')
  const clients = [await open(port), await open(port, '::1')]
  expect([queueDepth(zero), queueDepth(one)]).toEqual([2, 0])
  await daemon.do('steer', ['a', 1])
  for (let i = 0; i < 20; i++) clients.push(await open(port, i % 2 ? '::1' : '127.0.0.1'))
  expect([queueDepth(zero), queueDepth(one)]).toEqual([2, 20])
  await daemon.do('steer', ['a', 0])
  clients.push(await open(port))
  expect([queueDepth(zero), queueDepth(one)]).toEqual([3, 20])
  for (const client of clients) client.destroy()
})

test('a marked SYN reaches its slot whichever is steered to', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  const slots = []
  for (const index of [1, 2, 3, 4]) slots.push((await daemon.do('fresh', ['a', index])).descriptors[0])
  const probes = []
  for (const [i, slot] of slots.entries()) {
    for (const host of ['127.0.0.1', '::1']) probes.push(probe({ host, port, slot: i + 1 }))
    if (!slot) throw new Error('no slot')
    await eventually(() => queueDepth(slot) === 2)
  }
  for (const each of probes) each.close()
  expect(await daemon.refusal('fresh', ['a', 5])).toBe('ENOSPC')
  expect(await daemon.refusal('steer', ['a', 5])).toBe('EINVAL')
})

test('a listener that its program shuts down listens again, and steering stays true', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  for (const index of [1, 2]) await daemon.do('fresh', ['a', index])
  for (const index of [0, 1, 2])
    await daemon.do(
      'spawn',
      [],
      [holder.spec(`a#${index}`, { args: answering(`slot ${index}`), slots: [`${index} http a`] })],
    )
  const shut = (index: number) => [
    'python3',
    '-c',
    `import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)`,
    String(index),
  ]
  // The kernel moves the last of the group to the place of the one that left.
  let order = [0, 1, 2]
  for (const index of [0, 2, 1, 0]) {
    const id = `shut#${index}-${order.join('')}`
    await daemon.do('spawn', [], [holder.spec(id, { args: shut(index), slots: [`${index} http a`] })])
    const last = order.at(-1) ?? 0
    order = order.map((each) => (each === index ? last : each)).slice(0, -1)
    order.push(index)
    await daemon.event('order', 'a', order.join(','))
    await daemon.event('gone', id)
    // Its accept() may have failed, or have slept through it.
    await daemon.ask('signal', [`a#${index}`, 9, 'all'])
    await daemon.event('gone', `a#${index}`)
    await daemon.do('forget', [`a#${index}`])
    await daemon.do(
      'spawn',
      [],
      [holder.spec(`a#${index}`, { args: answering(`slot ${index}`), slots: [`${index} http a`] })],
    )
    for (const steered of [0, 1, 2]) {
      await daemon.do('steer', ['a', steered])
      expect(await fetchFrom({ port })).toBe(`slot ${steered}`)
    }
  }
  const [item] = await daemon.list('socket')
  expect(item?.fields).toEqual(['a', 'loopback:0', String(port), '2', order.join(','), '4096', '600'])
})

test('slots that are shut down together keep their true order', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  for (const index of [1, 2, 3]) await daemon.do('fresh', ['a', index])
  const shut = `import socket
for fd in (4, 3, 5): socket.socket(fileno=fd).shutdown(socket.SHUT_RDWR)`
  const all = ['0 a a', '1 b a', '2 c a']
  const go = join(holder.dir, 'go')
  const wait = `import os, time
while not os.path.exists(${JSON.stringify(go)}): time.sleep(0.005)`
  const args = ['python3', '-c', `${wait}\n${shut}`]
  const { fields } = await daemon.do('spawn', [], [holder.spec('x#1', { args, slots: all })])
  // The holder sleeps while all three go: it then hears of them at once.
  signal(holder.pid, 'SIGSTOP')
  writeFileSync(go, '')
  await eventually(() => readFileSync(`/proc/${fields[0]}/stat`, 'utf8').includes(') Z '))
  signal(holder.pid, 'SIGCONT')
  // 1 goes first and 3 takes its place; then 0, for which 2 comes; then 2 itself. They return in that order.
  await daemon.event('order', 'a', '3,1,0,2')
  await daemon.event('gone', 'x#1')
  const slots = (await daemon.do('fetch', ['a'])).descriptors
  for (const [index, slot] of slots.entries()) {
    await daemon.do('steer', ['a', index])
    const client = await open(port)
    expect(queueDepth(slot), `slot ${index}`).toBe(1)
    client.destroy()
  }
})

test('a spawn gets its slot as new, whatever the last program did to it', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  const spoil = `import socket
s = socket.socket(fileno=3)
s.setblocking(False); s.listen(1); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)`
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['python3', '-c', spoil], slots: ['0 http a'] })])
  await daemon.event('gone', 'x#1')
  const look = `import socket, os, sys
s = socket.socket(fileno=3)
info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
print(os.get_blocking(3), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT), int.from_bytes(info[28:32], sys.byteorder), flush=True)`
  await daemon.do('spawn', [], [holder.spec('x#2', { args: ['python3', '-c', look], slots: ['0 http a'] })])
  await daemon.event('gone', 'x#2')
  // tcpi_sacked is the backlog of a listener.
  expect(holder.said()).toBe('True 0 4096\n')
  expect(port).toBeGreaterThan(0)
})

test('a unix socket is bound with its mode, swapped by rename and removed', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const path = join(holder.dir, 'app.sock')
  await daemon.do('bind', ['u', `unix:${path}`, 16, '640'])
  expect(statSync(path).mode & 0o777).toBe(0o640)
  await daemon.do('spawn', [], [holder.spec('u#1', { args: answering('one'), slots: ['0 app u'] })])
  expect(await fetchFrom({ path })).toBe('one')
  const fresh = await daemon.do('fresh', ['u', 1])
  expect(fresh.fields).toEqual([`${path}~`])
  await daemon.do('spawn', [], [holder.spec('u#2', { args: answering('two'), slots: ['1 app u'] })])
  expect(await fetchFrom({ path: `${path}~` })).toBe('two')
  expect(await fetchFrom({ path })).toBe('one')
  await daemon.do('steer', ['u', 1])
  expect(await fetchFrom({ path })).toBe('two')
  expect(await daemon.refusal('steer', ['u', 0])).toBe('ESTALE')
  await daemon.do('fresh', ['u', 0])
  await daemon.do('steer', ['u', 0])
  await daemon.do('drop', ['u'])
  expect(readdirSync(holder.dir).filter((name) => name.startsWith('app.sock'))).toEqual([])
})

test('a unix listener that its program shuts down is replaced at its path; one that waits for its turn stays', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const path = join(holder.dir, 'app.sock')
  await daemon.do('bind', ['u', `unix:${path}`, 16, '600'])
  await daemon.do('fresh', ['u', 1])
  await daemon.do('spawn', [], [holder.spec('u#2', { args: answering('two'), slots: ['1 app u'] })])
  const shut = ['python3', '-c', 'import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RD)']
  await daemon.do('spawn', [], [holder.spec('u#1', { args: shut, slots: ['0 app u'] })])
  await daemon.event('order', 'u', '1,0')
  await daemon.event('gone', 'u#1')
  await daemon.do('spawn', [], [holder.spec('u#3', { args: answering('three'), slots: ['0 app u'] })])
  expect(await fetchFrom({ path })).toBe('three')
  expect(await fetchFrom({ path: `${path}~` })).toBe('two')
  await daemon.do('steer', ['u', 1])
  expect(await fetchFrom({ path })).toBe('two')
  expect(readdirSync(holder.dir).filter((name) => name.startsWith('app.sock'))).toEqual(['app.sock'])

  // Nobody comes to the old one any more, so nothing is made in its place before it is wanted.
  await daemon.do('signal', ['u#3', 9, 'all'])
  await daemon.event('gone', 'u#3')
  await daemon.do('spawn', [], [holder.spec('u#4', { args: shut, slots: ['0 app u'] })])
  await daemon.event('gone', 'u#4')
  const again = holder.spec('u#5', { args: answering('five'), slots: ['0 app u'] })
  expect(await daemon.refusal('spawn', [], [again])).toBe('ESTALE')
  await daemon.do('fresh', ['u', 0])
  await daemon.do('spawn', [], [again])
  await daemon.do('steer', ['u', 0])
  expect(await fetchFrom({ path })).toBe('five')
})

test('a unix path is taken over from the dead and from nobody else', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const path = join(holder.dir, 'app.sock')
  const server = createServer()
  server.listen(path)
  await once(server, 'listening')
  expect(await daemon.refusal('bind', ['u', `unix:${path}`, 16, '600'])).toBe('EADDRINUSE')
  server.close()
  await once(server, 'close')
  writeFileSync(path, 'a file')
  expect(await daemon.refusal('bind', ['u', `unix:${path}`, 16, '600'])).toBe('EADDRINUSE')
  const dead = join(holder.dir, 'dead.sock')
  await daemon.do(
    'spawn',
    [],
    [
      holder.spec('d#1', {
        args: ['python3', '-c', `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(dead)})`],
      }),
    ],
  )
  await daemon.event('gone', 'd#1')
  expect(lstatSync(dead).isSocket()).toBe(true)
  await daemon.do('bind', ['u', `unix:${dead}`, 16, '600'])
  // Somebody else's by now: it stays.
  rmSync(dead)
  writeFileSync(dead, 'not ours')
  await daemon.do('drop', ['u'])
  expect(existsSync(dead)).toBe(true)
})

test('a path too long for a socket is refused in words', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.ask('bind', ['u', `unix:/tmp/${'x'.repeat(110)}`, 16, '600'])
  expect(fields[0]).toBe('ENAMETOOLONG')
  expect(fields[2]).toContain('at most 106 bytes')
})

test('a watched slot is reported once when something waits in it', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields, descriptors } = await daemon.do('bind', ['a', 'loopback:0', 4096, '600'])
  const port = Number(fields[0])
  await daemon.do('watch', ['a', 0])
  const clients = [await open(port)]
  await daemon.event('readable', 'a', '0')
  clients.push(await open(port))
  await daemon.do('fetch', ['a'])
  expect(daemon.events).toEqual([])
  // Something waits already.
  await daemon.do('watch', ['a', 0])
  await daemon.event('readable', 'a', '0')
  expect(descriptors[0] && queueDepth(descriptors[0])).toBe(2)
  for (const client of clients) client.destroy()
})

/** Answers what it got, and a point, once the client has said all. */
const ECHO = `import socket
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    data = b''
    while chunk := connection.recv(65536): data += chunk
    connection.sendall(data + b'.')
    connection.close()`

test('what a generation left in its slot is carried to the steered one', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  const waiting = [fetchFrom({ port }, 'v4'), fetchFrom({ port, host: '::1' }, 'v6')]
  const [slot] = (await daemon.do('fetch', ['a'])).descriptors
  if (!slot) throw new Error('no slot')
  await eventually(() => queueDepth(slot) === 2)
  await daemon.do('fresh', ['a', 1])
  await daemon.do('steer', ['a', 1])
  await daemon.do('spawn', [], [holder.spec('a#2', { args: ['python3', '-c', ECHO], slots: ['1 http a'] })])
  expect((await daemon.do('relay', ['a', 0])).fields).toEqual(['2'])
  expect(await Promise.all(waiting)).toEqual(['v4.', 'v6.'])

  // Much, in both directions, and a slow reader of it.
  await daemon.do('steer', ['a', 0])
  const much = 'x'.repeat(5_000_000)
  const big = fetchFrom({ port }, much)
  await eventually(() => queueDepth(slot) === 1)
  await daemon.do('steer', ['a', 1])
  expect((await daemon.do('relay', ['a', 0])).fields).toEqual(['1'])
  expect((await big).length).toBe(much.length + 1)
  expect(await daemon.refusal('relay', ['a', 1])).toBe('EINVAL')
})

test('what waits through the ends of many generations is one relay, with all that was sent', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const port = await bind(daemon, 'a', 'loopback:0')
  const descriptors = () => readdirSync(`/proc/${holder.pid}/fd`).length
  // The second is more than a relay can have back: that one goes on from relay to relay.
  const texts = ['v4', 'x'.repeat(300_000), 'v6']
  const waiting = texts.map((text) => fetchFrom({ port, host: text === 'v6' ? '::1' : '127.0.0.1' }, text))
  const [first] = (await daemon.do('fetch', ['a'])).descriptors
  if (!first) throw new Error('no slot')
  await eventually(() => queueDepth(first) === texts.length)
  const pass = async (from: number, to: number) => {
    await daemon.do('fresh', ['a', to])
    await daemon.do('steer', ['a', to])
    expect((await daemon.do('relay', ['a', from])).fields).toEqual(['3'])
    const slot = (await daemon.do('fetch', ['a'])).descriptors[to]
    if (!slot) throw new Error('no slot')
    await eventually(() => queueDepth(slot) === texts.length)
    return descriptors()
  }
  await pass(0, 1)
  const before = await pass(1, 2)
  for (let hop = 0; hop < 4; hop += 1) await pass(2 - (hop % 2), 1 + (hop % 2))
  // Two more for each relay of the one that is too large.
  expect(descriptors()).toBeLessThanOrEqual(before + 4 * 2)
  await daemon.do('spawn', [], [holder.spec('a#2', { args: ['python3', '-c', ECHO], slots: ['2 http a'] })])
  expect(await Promise.all(waiting)).toEqual(texts.map((text) => `${text}.`))
})

test('a thousand sockets are bound in well under a second, and the holder stays small', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const began = performance.now()
  const bound = Array.from({ length: 1000 }, (_, i) =>
    daemon.do('bind', [`s${i}`, 'loopback:0', 4096, '600']),
  )
  for (const answer of await Promise.all(bound))
    for (const descriptor of answer.descriptors) descriptor.close()
  const ms = performance.now() - began
  const { items } = await daemon.do('list')
  expect(items).toHaveLength(1000)
  for (const { descriptors } of items) for (const descriptor of descriptors) descriptor.close()
  const status = readFileSync(`/proc/${holder.pid}/status`, 'utf8')
  const kib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
  console.log(`1000 sockets in ${ms.toFixed(0)} ms, RSS ${kib} KiB`)
  // A sanitizer's shadow memory is not the holder's.
  if (process.env.DEVSOCK_NATIVE_DIR) return
  expect(ms).toBeLessThan(1000)
  expect(kib).toBeLessThan(10_240)
  expect(signal(holder.pid, 0)).toBe(true)
})

test('the daemon may accept from a slot itself', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields, descriptors } = await daemon.do('bind', ['a', 'loopback:0', 4096, '600'])
  const client = await open(Number(fields[0]))
  const [slot] = descriptors
  if (!slot) throw new Error('no slot')
  const connection = new Socket({ fd: accept(slot) ?? -1 })
  connection.end('from the daemon')
  const [text] = await once(client, 'data')
  expect(String(text)).toBe('from the daemon')
  client.destroy()
})
