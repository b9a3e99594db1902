/** Connections that go from one generation to the next through the holder: park, take, pass, drain. */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { eventually } from '../rig/eventually.ts'
import { answering, type HolderPeer, open, TestHolder, withDeadline } from './holder-rig.ts'
import { Program } from './moves-rig.ts'

interface Scene extends AsyncDisposable {
  holder: TestHolder
  daemon: HolderPeer
  port: number
  old: Program
}

/** A socket `a` with a generation on slot 0, which receives. */
async function scene(): Promise<Scene> {
  const { holder, daemon } = await TestHolder.start()
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 64, '600'])
  const old = await Program.start(holder, daemon, 'old', '0 http a')
  await old.ask('receive', [0])
  const port = Number(fields[0])
  return {
    holder,
    daemon,
    port,
    old,
    [Symbol.asyncDispose]: async () => {
      old[Symbol.dispose]()
      await holder[Symbol.asyncDispose]()
    },
  }
}

/** Connections that the old generation has accepted and parked. */
async function parked({ port, old }: Scene, count: number): Promise<Socket[]> {
  const clients: Socket[] = []
  const fds: number[] = []
  for (let each = 0; each < count; each += 1) {
    clients.push(await open(port))
    fds.push(await old.do<number>('accept'))
  }
  expect((await old.ask('park', [0], fds)).answer).toBe('ok')
  for (const fd of fds) await old.do('close', fd)
  return clients
}

async function steerToNext({ holder, daemon }: Scene): Promise<Program> {
  await daemon.do('fresh', ['a', 1])
  await daemon.do('steer', ['a', 1])
  const next = await Program.start(holder, daemon, 'next', '1 http a')
  await next.ask('receive', [0])
  return next
}

const text = async (client: Socket): Promise<string> =>
  String((await withDeadline(once(client, 'data'), () => 'an answer'))[0])

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

test('what a generation parks is taken by the next one, in its order, with what its clients have sent meanwhile', async () => {
  await using at = await scene()
  const [first, second] = await parked(at, 2)
  first?.write('hello')
  using next = await steerToNext(at)
  expect(await next.do('event')).toEqual(['parked', '0'])
  const { received } = await next.ask('take', [0])
  expect(received).toHaveLength(2)
  expect((await next.ask('take', [0])).received).toEqual([])
  expect(await next.do('read', received[0])).toBe('hello')
  await next.do('write', received[1], 'from the next')
  expect(await text(second as Socket)).toBe('from the next')
  expect(await at.daemon.event('parked', 'a')).toBeDefined()
  for (const client of [first, second]) client?.destroy()
})

test('a generation that gets no new connections gets no parked ones either', async () => {
  await using at = await scene()
  const [client] = await parked(at, 1)
  using next = await steerToNext(at)
  expect((await at.old.ask('take', [0])).received).toEqual([])
  expect((await next.ask('take', [0])).received).toHaveLength(1)
  client?.destroy()
})

test('what was taken by a program that ended before it could know is given to the next one that asks', async () => {
  await using at = await scene()
  const [client] = await parked(at, 1)
  using next = await steerToNext(at)
  await next.do('event')
  const { received } = await next.ask('take', [0])
  await next.do('close', received[0])
  await next.do('leave')
  await next.do('hello')
  await next.ask('receive', [0])
  const again = await next.ask('take', [0])
  await next.do('write', again.received[0], 'here')
  expect(await text(client as Socket)).toBe('here')
  client?.destroy()
})

test('nobody parks or takes what is none of its own, and nothing but connections of that socket', async () => {
  await using at = await scene()
  const { daemon, holder, old } = at
  await daemon.do('bind', ['b', 'loopback:0', 64, '600'])
  using other = await Program.start(holder, daemon, 'other', '0 http b')
  const client = await open(at.port)
  const fd = await old.do<number>('accept')
  expect((await other.ask('park', [0], [3])).answer).toBe('EPERM')
  await other.ask('receive', [0])
  expect((await other.ask('receive', [0])).answer).toBe('EEXIST')
  expect((await other.ask('receive', [1])).answer).toBe('EINVAL')
  expect((await other.ask('park', [0], [])).answer).toBe('EINVAL')
  // Its listener, a pair of sockets, a file.
  expect((await other.ask('park', [0], [3])).answer).toBe('EINVAL')
  expect((await other.ask('park', [0], [await other.do<number>('file')])).answer).toBe('EINVAL')
  expect((await other.ask('park', [0], [1])).answer).toBe('EINVAL')
  expect((await old.ask('park', [0], [fd, 3])).answer).toBe('EINVAL')
  for (const verb of ['drain', 'pass']) expect((await other.ask(verb, ['old'])).answer).toBe('EPERM')
  using stranger = await holder.hello('client')
  for (const verb of ['receive', 'park', 'take']) {
    expect(['ESRCH', 'EPERM']).toContain(await stranger.refusal(verb, [0]))
  }
  // None of it was parked.
  expect((await daemon.do('pass', ['a'])).fields).toEqual(['0'])
  expect((await daemon.do('drain', ['old'])).fields[0]).toBe('0')
  client.destroy()
})

test('a client that goes is let go of, and a thousand of one socket are enough', async () => {
  await using at = await scene()
  const before = descriptors(at.holder.pid)
  const clients = await parked(at, 40)
  expect(descriptors(at.holder.pid)).toBe(before + 40)
  for (const client of clients) client.destroy()
  await eventually(() => descriptors(at.holder.pid) === before)

  const [first] = await parked(at, 1)
  const closed = once(first as Socket, 'close')
  first?.resume()
  const more: Socket[] = []
  for (let batch = 0; batch < 32; batch += 1) more.push(...(await parked(at, 32)))
  await withDeadline(closed, () => 'the end of the oldest')
  expect(descriptors(at.holder.pid)).toBe(before + 1024)
  await at.daemon.do('drop', ['a'])
  expect(descriptors(at.holder.pid)).toBeLessThan(before)
  for (const client of more) client.destroy()
}, 60_000)

test('a request on a parked connection starts what is armed, also when it came before', async () => {
  await using at = await scene()
  const { daemon, holder } = at
  const [early, late] = await parked(at, 2)
  await daemon.do('fresh', ['a', 1])
  await daemon.do('steer', ['a', 1])
  early?.write('x')
  await daemon.event('parked', 'a')
  const arm = (id: string) =>
    daemon.do('arm', ['key'], [holder.spec(id, { args: answering(id), slots: ['1 http a'] })])
  await arm('one')
  expect((await daemon.event('spawned', 'key')).args.slice(1, 2)).toEqual(['one'])
  expect((await daemon.do('pass', ['a'])).fields).toEqual(['2'])
  expect(await text(early as Socket)).toBe('one')
  late?.destroy()
})

test('where no program takes them, parked connections are carried to the slot that is steered to', async () => {
  await using at = await scene()
  const { daemon, holder } = at
  const [client] = await parked(at, 1)
  await daemon.do('fresh', ['a', 1])
  await daemon.do('steer', ['a', 1])
  await daemon.do('spawn', [], [holder.spec('plain', { args: answering('plain'), slots: ['1 http a'] })])
  expect((await daemon.do('pass', ['a'])).fields).toEqual(['1'])
  expect(await text(client as Socket)).toBe('plain')
})

test('the daemon takes those that have asked, and leaves the others where they are', async () => {
  await using at = await scene()
  const [asking, idle] = await parked(at, 2)
  asking?.write('x')
  await at.daemon.event('parked', 'a')
  await eventually(async () => (await at.daemon.do('take', ['a'])).descriptors.length === 1)
  using next = await steerToNext(at)
  expect((await next.ask('take', [0])).received).toHaveLength(1)
  for (const client of [asking, idle]) client?.destroy()
})

test('drain tells those that receive, and those that come later, and says who they are and what they parked', async () => {
  await using at = await scene()
  const { daemon, old } = at
  const { fields } = await daemon.do('drain', ['old'])
  expect(fields).toEqual(['0', expect.stringMatching(/^\d+$/)])
  expect(await old.do('event')).toEqual(['drain'])
  await old.do('leave')
  await old.do('hello')
  await old.ask('receive', [0])
  expect(await old.do('event')).toEqual(['drain'])
  const [client] = await parked(at, 1)
  expect((await daemon.do('drain', ['old'])).fields).toEqual(['1', fields[1]])
  expect(await daemon.refusal('drain', ['none'])).toBe('ENOENT')
  client?.destroy()
})

test('who is steered away from is told to drain at once, and nobody else is', async () => {
  await using at = await scene()
  await at.daemon.do('steer', ['a', 0])
  const [client] = await parked(at, 1)
  expect(await at.old.do('event')).toEqual(['parked', '0'])
  using next = await steerToNext(at)
  expect(await at.old.do('event')).toEqual(['drain'])
  expect(await next.do('event')).toEqual(['parked', '0'])
  client?.destroy()
})
