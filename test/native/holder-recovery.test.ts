import { existsSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { queueDepth } from '../../native/index.ts'
import { locate } from '../../native/locate.ts'
import { eventually } from '../rig/eventually.ts'
import { signal } from '../rig/processes.ts'
import { answering, fetchFrom, type HolderPeer, open, TestHolder } from './holder-rig.ts'

const STANDIN = fileURLToPath(new URL('standin-daemon.py', import.meta.url))

/** A holder with a daemon that would bring it back. */
async function withStandin(server: string[]): Promise<TestHolder> {
  const holder = TestHolder.launch((self) => ({
    daemon: ['/usr/bin/python3', STANDIN, locate('devsock-holder'), self.dir, self.logFile, ...server],
  }))
  await holder.listening()
  await settled(holder, 1)
  return holder
}

const settled = (holder: TestHolder, times: number) =>
  eventually(() => holder.log().split('daemon settled').length > times, {
    what: `a daemon that settled ${times} times`,
    dump: async () => holder.log(),
  })

const pidOf = (holder: TestHolder, what: string): number =>
  Number(new RegExp(`${what} (\\d+)`).exec(holder.log())?.[1])

async function onlySocket(client: HolderPeer): Promise<{ port: number; fields: string[] }> {
  const [item] = await client.list('socket')
  if (!item) throw new Error('no socket is listed')
  return { port: Number(item.fields[2]), fields: item.fields }
}

test('the holder is killed: sockets, what waits in them and the running server outlive it', async () => {
  await using holder = await withStandin(answering('one'))
  const before = await holder.hello('client')
  const { port, fields } = await onlySocket(before)
  const [server] = await before.list('generation')
  expect(await fetchFrom({ port })).toBe('one')

  await holder.kill()
  // Between the two holders too.
  expect(await fetchFrom({ port, host: '::1' })).toBe('one')
  await settled(holder, 2)
  const after = await holder.hello('client')
  expect((await onlySocket(after)).fields, holder.log()).toEqual(fields)
  const [same] = await after.list('generation')
  expect(same?.fields).toEqual(server?.fields)
  expect(await fetchFrom({ port })).toBe('one')

  // Nobody's child any more, and yet its end and its status are told.
  signal(Number(same?.fields[1]), 'SIGTERM')
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const known = major > 6 || (major === 6 && minor >= 15)
  await eventually(() => holder.log().includes('daemon event gone a#1'), { dump: async () => holder.log() })
  expect(holder.log()).toMatch(known ? 'daemon event exited a#1  15 0' : /daemon event exited a#1 {2}(15)? 0/)
})

test('a stored socket steers, grows and keeps others out as a bound one does; a unix path stays ours', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const path = join(holder.dir, 'app.sock')
  await daemon.do('bind', ['a', 'loopback:0', 128, '600'])
  await daemon.do('fresh', ['a', 1])
  await daemon.do('steer', ['a', 1])
  await daemon.do('bind', ['u', `unix:${path}`, 128, '640'])
  await daemon.do('fresh', ['u', 1])
  const sockets = await daemon.list('socket')
  const port = Number(sockets[0]?.fields[2])
  const waiting = await open(port)
  await holder.kill()
  // The stand-in for the daemon has the lock.
  signal(pidOf(holder, 'daemon'), 'SIGKILL')
  await eventually(() => holder.isUnlocked())
  await holder.restart()

  const again = await holder.hello('daemon')
  for (const { fields, descriptors } of sockets) await again.do('store', fields, descriptors)
  expect((await again.list('socket')).map(({ fields }) => fields)).toEqual(
    sockets.map(({ fields }) => fields),
  )
  await again.do('fresh', ['a', 2])
  const slots = (await again.do('fetch', ['a'])).descriptors
  const depths = () => slots.map((slot) => queueDepth(slot))
  expect(depths()).toEqual([0, 1, 0])
  await again.do('steer', ['a', 2])
  const client = await open(port, '::1')
  expect(depths()).toEqual([0, 1, 1])
  expect(await again.refusal('bind', ['b', `loopback:${port}`, 16, '600'])).toBe('EADDRINUSE')
  for (const each of [waiting, client]) each.destroy()

  // Made by the one before, and not yet steered to.
  await again.do('steer', ['u', 1])
  expect((await again.do('fresh', ['u', 0])).fields).toEqual([`${path}~`])
  expect(statSync(`${path}~`).mode & 0o777).toBe(0o640)
  await again.do('steer', ['u', 0])
  await again.do('drop', ['u'])
  expect(existsSync(path)).toBe(false)
})

test('a daemon that outlived a holder is watched by the next one, and started again when it ends', async () => {
  await using holder = await withStandin(['sleep', '1000'])
  const daemon = pidOf(holder, 'daemon')
  await holder.kill()
  await settled(holder, 2)
  expect(holder.log()).toContain(`daemon ${daemon} goes on with this holder`)
  signal(daemon, 'SIGKILL')
  await settled(holder, 3)
  expect(holder.log()).toContain(
    'daemon ended (it was adopted, its status is not known); it starts again at once',
  )
  const list = await (await holder.hello('client')).list('generation')
  expect(list.map(({ fields }) => fields[3])).toEqual(['running'])
})

test('a new holder whose daemon never comes starts one', async () => {
  const holder = TestHolder.launch({ options: ['--adopt'] })
  await using _ = holder
  await holder.listening()
  expect(holder.log()).not.toContain('daemon')
  await eventually(() => /daemon \d+ started/.test(holder.log()), { deadline: 8000 })
})

test('a daemon that ends is started again, at once and then later and later, and the log says so', async () => {
  const holder = TestHolder.launch({ daemon: ['sh', '-c', 'exit 3'] })
  await using _ = holder
  await holder.listening()
  await eventually(() => holder.log().includes('in 400 ms'))
  const lines = holder
    .log()
    .split('\n')
    .filter((line) => line.includes('ended'))
  expect(lines.slice(0, 4).map((line) => line.replace(/^\S+ holder\[\d+\] /, ''))).toEqual(
    ['at once', 'in 100 ms', 'in 200 ms', 'in 400 ms'].map(
      (when) => `daemon ended (exit status 3); it starts again ${when}`,
    ),
  )
  const times = lines.map((line) => Date.parse(line.split(' ')[0] ?? ''))
  expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThanOrEqual(99)
  expect((times[3] ?? 0) - (times[2] ?? 0)).toBeGreaterThanOrEqual(199)
})

test('a daemon that is killed is replaced within a second; nothing else notices', async () => {
  await using holder = await withStandin(answering('one'))
  const client = await holder.hello('client')
  const { port } = await onlySocket(client)
  const before = await client.list('generation')
  const killed = Date.now()
  signal(pidOf(holder, 'daemon'), 'SIGKILL')
  await settled(holder, 2)
  const started = holder
    .log()
    .split('\n')
    .findLast((line) => /daemon \d+ started/.test(line))
  expect(Date.parse(started?.split(' ')[0] ?? '') - killed).toBeLessThan(1000)
  expect((await client.list('generation'))[0]?.fields).toEqual(before[0]?.fields)
  expect(await fetchFrom({ port })).toBe('one')
})

test('the daemon inherits the lock and is told who started it; nothing that was meant for others', async () => {
  const say = 'ls -l /proc/self/fd; env; exec sleep 1000'
  const holder = TestHolder.launch({
    daemon: ['sh', '-c', say],
    env: { LISTEN_FDS: '3', LISTEN_PID: '1', NOTIFY_SOCKET: '/x', NODE_CHANNEL_FD: '5', KEPT: 'yes' },
  })
  await using _ = holder
  await holder.listening()
  await eventually(() => holder.log().includes('KEPT=yes'))
  const log = holder.log()
  expect(log).toContain('DEVSOCK_LOCK_FD=3\n')
  expect(log).toContain(`DEVSOCK_HOLDER_PID=${holder.pid}\n`)
  expect(log).not.toMatch(/^(LISTEN_|NOTIFY_SOCKET|NODE_CHANNEL_FD)/m)
  expect(log).toContain(`3 -> ${holder.dir}/lock`)
  expect(log).toMatch(/0 -> \/dev\/null/)
  // `ls` has its own for the folder; there is no other.
  expect(log).not.toMatch(/[5-9] -> /)
})

test('store refuses what does not fit, and keeps what it had', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 128, '600'])
  const port = fields[0] ?? ''
  await daemon.do('fresh', ['a', 1])
  const slots = (await daemon.do('fetch', ['a'])).descriptors
  const store = (...args: string[]) => daemon.refusal('store', ['b', 'loopback:0', ...args], slots)
  expect(await store(port, '0', '0')).toBe('EINVAL')
  expect(await store(port, '0', '0,0')).toBe('EINVAL')
  expect(await store(port, '2', '0,1')).toBe('EINVAL')
  expect(await store('1', '0', '0,1')).toBe('EINVAL')
  expect(await store(port, '0', '0,x')).toBe('EINVAL')
  expect(await daemon.refusal('store', ['a', 'loopback:0', port, '0', '1,0'], slots)).toBe('EEXIST')
  expect((await daemon.list('socket')).map(({ fields }) => fields[0])).toEqual(['a'])
  await daemon.do('store', ['b', 'loopback:0', port, '1', '0,1'], slots)
  expect((await daemon.list('socket')).map(({ fields }) => fields.slice(3))).toEqual([
    ['0', '0,1', '128', '600'],
    ['1', '0,1', '4096', '600'],
  ])
})

test('adopt refuses a process that has gone, or is another one by now', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['sleep', '1000'] })])
  const [item] = await daemon.list('generation')
  const [, pid = '', start = '', , , , , , invocation = ''] = item?.fields ?? []
  const adopt = (id: string, ...args: string[]) => daemon.ask('adopt', [id, ...args], item?.descriptors)
  expect((await adopt('y#1', pid, String(Number(start) - 1), 'f'.repeat(32), '0')).fields[0]).toBe('ESRCH')
  expect((await adopt('y#1', '4194303', start, 'f'.repeat(32), '0')).fields[0]).toBe('ESRCH')
  expect((await adopt('y#1', '1', start, invocation, '0')).fields[0]).toBe('EINVAL')
  expect((await adopt('x#1', pid, start, invocation, '0')).fields[0]).toBe('EEXIST')
  expect(await daemon.list('generation')).toHaveLength(1)
})

test('what is left of a generation whose leader has ended can be adopted, signalled and waited for', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do(
    'spawn',
    [],
    [holder.spec('x#1', { args: ['sh', '-c', 'sleep 1000 & setsid -f sleep 1000; exit 0'] })],
  )
  await daemon.event('exited', 'x#1')
  const [item] = await daemon.list('generation')
  const [, pid = '', start = '', , , , , , invocation = ''] = item?.fields ?? []
  // As after the death of the holder: it knows the number, and cannot know whether the zombie is still that one.
  await daemon.do('adopt', ['y#1', pid, String(Number(start) - 1), invocation, '1'], item?.descriptors)
  expect((await daemon.event('exited', 'y#1')).args).toEqual(['y#1', '', '', '2'])
  expect((await daemon.do('signal', ['y#1', 9, 'all'])).fields).toEqual(['2'])
  await daemon.event('gone', 'y#1')
  await daemon.event('gone', 'x#1')

  await daemon.do('spawn', [], [holder.spec('x#2', { args: ['sleep', '1000'] })])
  const next = (await daemon.list('generation')).find(({ fields }) => fields[0] === 'x#2')
  const [, nextPid = '', nextStart = ''] = next?.fields ?? []
  // Its notify socket may be lost: it can be watched all the same.
  await daemon.do('adopt', ['y#2', nextPid, nextStart, holder.invocation('x#2'), '0'])
  const adopted = (await daemon.list('generation')).find(({ fields }) => fields[0] === 'y#2')
  expect(adopted?.descriptors).toEqual([])
  await daemon.do('signal', ['y#2', 15, 'group'])
  await daemon.event('gone', 'y#2')
})

test('a second holder in the same folder ends with 10 and disturbs nothing', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const second = holder.another()
  expect(await second.ended()).toBe(10)
  expect(second.stderr).toContain('lock')
  await daemon.do('list')
})

test('a daemon that still lives keeps another pair from starting', async () => {
  const { holder } = await TestHolder.start()
  await using _ = holder
  // The stand-in that only sleeps has the lock, and starts no holder.
  await holder.kill()
  const second = holder.another()
  expect(await second.ended()).toBe(10)
})

test('what a dead pair left behind is no obstacle', async () => {
  await using holder = TestHolder.launch()
  await holder.listening()
  const daemon = await holder.hello('daemon')
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['true'] })])
  await holder.kill()
  signal(pidOf(holder, 'daemon'), 'SIGKILL')
  await eventually(() => holder.isUnlocked())
  await holder.restart()
  const again = await holder.hello('daemon')
  expect(await again.list('generation')).toEqual([])
})
