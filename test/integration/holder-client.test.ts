// Longer than 400 lines: the whole protocol, verb by verb, against the real holder.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { probe, queueDepth, type Seqpacket, seqpacketPair } from '../../native/index.ts'
import { Holder } from '../../proxy/holder/client.ts'
import { HolderLost } from '../../proxy/holder/error.ts'
import { type GenerationSpec, type HolderEvent, HolderLink } from '../../proxy/holder/link.ts'
import { startHolder } from '../../proxy/holder/refill.ts'
import { eventually } from '../rig/eventually.ts'
import { killAll, processesWith } from '../rig/processes.ts'

const spec = (number: number, change: Partial<GenerationSpec> = {}): GenerationSpec => ({
  id: `shop/api#${number}`,
  invocation: randomBytes(16).toString('hex'),
  cwd: folder,
  log: join(folder, `${number}.log`),
  nofile: null,
  umask: 0o22,
  argv: [process.execPath, '-e', SERVER],
  env: { PATH: process.env.PATH ?? '', NUMBER: String(number), DEVSOCK_TEST: folder },
  slots: [{ name: 'shop/api/http', index: 0, fdName: 'http' }],
  ...change,
})

/** Answers every connection with its number and pid. */
const SERVER = `
require('node:net').createServer((socket) => socket.end(process.env.NUMBER + ' ' + process.pid)).listen({ fd: 3 })`

let folder = ''

describe('against a holder that a test plays', () => {
  async function played(): Promise<{
    holder: Holder
    far: Seqpacket
    heard: string[]
    events: HolderEvent[]
    lost: HolderLost[]
  }> {
    const [near, far] = seqpacketPair()
    const heard: string[] = []
    const events: HolderEvent[] = []
    const lost: HolderLost[] = []
    far.start(
      (data, descriptors) => {
        for (const descriptor of descriptors) descriptor.close()
        heard.push(data.toString().replaceAll('\0', ' '))
      },
      () => undefined,
    )
    const connecting = Holder.over(
      near,
      (event) => events.push(event),
      (error) => lost.push(error),
    )
    say(far, '1 ok 1 4242')
    return { holder: await connecting, far, heard, events, lost }
  }
  const say = (far: Seqpacket, text: string): void => far.send(Buffer.from(text.replaceAll(' ', '\0')))

  test('requests go out in the order of the calls, none waiting for an answer', async () => {
    folder = tmpdir()
    const { holder, far, heard } = await played()
    const fresh = holder.fresh('s', 1)
    const steer = holder.steer('s', 1)
    const spawned = holder.spawn(spec(2))
    await eventually(() => heard.length === 4)
    expect(heard).toEqual(['1 hello 1 daemon', '2 fresh s 1', '3 steer s 1', '4 spawn'])
    // The first is refused while nobody awaits it yet: that must not end the process.
    say(far, '2 error EMFILE socket too-many')
    say(far, '3 ok')
    say(far, '4 ok 17 99')
    expect(await spawned).toEqual({ pid: 17, startTime: 99, notify: null, binds: null })
    await steer
    await expect(fresh).rejects.toMatchObject({ code: 'EMFILE', syscall: 'socket' })
    holder.close()
    far.close()
  })

  test('its end rejects what is unanswered, and is told once', async () => {
    const { holder, far, lost } = await played()
    const answers = [holder.list(), holder.drop('s')]
    far.close()
    for (const answer of answers) await expect(answer).rejects.toBeInstanceOf(HolderLost)
    expect(lost).toHaveLength(1)
    await expect(holder.list()).rejects.toBeInstanceOf(HolderLost)
    holder.close()
  })

  test.each(['nonsense', '9 ok', '! no-such-event', '2 perhaps'])(
    '%j is not this protocol: the connection ends',
    async (text) => {
      const { holder, far, lost } = await played()
      const answer = holder.steer('s', 0)
      say(far, text)
      await expect(answer).rejects.toBeInstanceOf(HolderLost)
      expect(lost[0]?.message).toContain('not understood')
      far.close()
    },
  )

  test('what cannot be said is refused before it is sent', async () => {
    const { holder, far, heard } = await played()
    await expect(holder.drop('a\0b')).rejects.toMatchObject({ code: 'EINVAL', syscall: 'encode' })
    await expect(holder.spawn(spec(1, { argv: [] }))).rejects.toMatchObject({ code: 'EINVAL' })
    void holder.steer('s', 0)
    await eventually(() => heard.length === 2)
    expect(heard[1]).toBe('2 steer s 0')
    holder.close()
    far.close()
  })
})

describe('with the holder itself', () => {
  let link: HolderLink
  let lockFd = -1
  let events: HolderEvent[] = []
  let lines: string[] = []
  let lost: HolderLost[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'devsock-link-'))
    await chmod(folder, 0o700)
    lockFd = openSync(join(folder, 'lock'), 'w', 0o600)
    events = []
    lines = []
    lost = []
    const program = {
      runtimeDir: folder,
      log: join(folder, 'holder.log'),
      lockFd,
      daemonArgv: ['/bin/false'],
    }
    const first = await startHolder(
      program,
      () => undefined,
      () => undefined,
    )
    first.close()
    link = await eventually(() =>
      HolderLink.open({
        ...program,
        onEvent: (event) => events.push(event),
        report: (line) => lines.push(line),
        onLost: (error) => lost.push(error),
      }),
    )
  })

  afterEach(async () => {
    const running = link.holderPid
    if (running) await link.shutdown()
    link.close()
    // It would wait for its daemon to end: for this process.
    if (running) process.kill(running, 'SIGKILL')
    await killAll([`DEVSOCK_TEST=${folder}`])
    closeSync(lockFd)
    await rm(folder, { recursive: true })
    expect(lost).toEqual([])
  })

  const seen = (type: HolderEvent['type']): HolderEvent[] => events.filter((event) => event.type === type)

  async function ask(port: number): Promise<{ number: number; pid: number }> {
    const socket = net.connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    await once(socket, 'close')
    const [number, pid] = Buffer.concat(chunks).toString().split(' ').map(Number)
    return { number: number ?? Number.NaN, pid: pid ?? Number.NaN }
  }

  async function bindHttp(): Promise<number> {
    const { port } = await link.bind('shop/api/http', 'loopback:0', { backlog: 128 })
    return port ?? 0
  }

  async function killHolder(): Promise<void> {
    const before = link.holderPid
    process.kill(before, 'SIGKILL')
    await eventually(() => link.holderPid !== before && link.holderPid !== 0, {
      dump: async () => lines.join('\n'),
    })
  }

  test('a socket is bound, served, gated and listed', async () => {
    const port = await bindHttp()
    expect(link.socket('shop/api/http')).toMatchObject({ port, steered: 0, order: [0], backlog: 128 })
    const { pid } = await link.spawn(spec(1))
    expect(await ask(port)).toEqual({ number: 1, pid })

    // A swap's three requests, one after the other without waiting.
    const two = spec(2, { slots: [{ name: 'shop/api/http', index: 1, fdName: 'http' }] })
    const [fresh, , second] = await Promise.all([
      link.fresh('shop/api/http', 1),
      link.steer('shop/api/http', 1),
      link.spawn(two),
    ])
    expect(fresh.probe).toBeNull()
    expect(await ask(port)).toEqual({ number: 2, pid: second.pid })
    const list = await link.list()
    expect(list.sockets).toEqual([
      expect.objectContaining({ name: 'shop/api/http', port, steered: 1, order: [0, 1] }),
    ])
    expect(list.generations.map(({ id, phase, invocation }) => [id, phase, invocation.length])).toEqual([
      ['shop/api#1', 'running', 32],
      ['shop/api#2', 'running', 32],
    ])
    expect(await link.signal('shop/api#1', 'SIGTERM', 'all')).toBe(1)
    await eventually(() => seen('gone').length === 1)
    expect(seen('exited')[0]).toEqual({
      type: 'exited',
      id: 'shop/api#1',
      code: null,
      signal: 'SIGTERM',
      left: 0,
    })
    expect(await link.signal('shop/api#1', 'SIGTERM', 'all')).toBeNull()
    await link.forget('shop/api#1')
    // Done twice, or for what a dead holder took along, it comes to the same.
    await link.forget('shop/api#1')
    expect(await link.signal('shop/api#1', 'SIGTERM', 'all')).toBeNull()
    await link.drop('no/such/socket')
  })

  test('a port that somebody has is EADDRINUSE, and a program that is not there ENOENT', async () => {
    const port = await bindHttp()
    const taken = link.bind('other', `loopback:${port}`, { backlog: 16 })
    await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' })
    await expect(link.spawn(spec(1, { argv: ['no-such-program'] }))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(link.spawn(spec(1, { cwd: '/nowhere' }))).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'chdir',
    })
  })

  test('the first connection starts what is armed', async () => {
    const port = await bindHttp()
    await link.arm('shop/api', spec(1))
    const answer = await ask(port)
    expect(seen('spawned')).toEqual([
      expect.objectContaining({
        key: 'shop/api',
        id: 'shop/api#1',
        pid: answer.pid,
        socket: 'shop/api/http',
      }),
    ])
    expect(await link.disarm('shop/api')).toBe(false)
  })

  test.each(['127.0.0.1', '::1'])(
    'a probe of %s reaches the slot that it names, and no other',
    async (host) => {
      const port = await bindHttp()
      const { slot } = await link.fresh('shop/api/http', 1)
      const steered = link.socket('shop/api/http')?.slots[0]
      if (!steered) throw new Error('slot 0 is not there')
      using _probe = probe({ host, port, slot: 1 })
      await eventually(() => queueDepth(slot) === 1)
      expect(queueDepth(steered)).toBe(0)
      const client = net.connect(port, host)
      await eventually(() => queueDepth(steered) === 1)
      expect(queueDepth(slot)).toBe(1)
      client.destroy()
    },
  )

  test('a watched slot is told of once', async () => {
    const port = await bindHttp()
    await link.watch('shop/api/http', 0)
    const client = net.connect(port, '127.0.0.1')
    await eventually(() => seen('readable').length === 1)
    expect(seen('readable')).toEqual([{ type: 'readable', socket: 'shop/api/http', index: 0 }])
    client.destroy()
  })

  test('when the holder is killed the next one has all of it: ports, processes, what was armed', async () => {
    const port = await bindHttp()
    const { pid } = await link.spawn(spec(1))
    const { port: heldPort } = await link.bind('shop/web/http', 'loopback:0', { backlog: 64 })
    await link.arm(
      'shop/web',
      spec(7, { id: 'shop/web#7', slots: [{ name: 'shop/web/http', index: 0, fdName: 'http' }] }),
    )
    await link.bind('shop/db/sql', `unix:${join(folder, 'db.sock')}`, { backlog: 8, mode: 0o600 })
    await link.watch('shop/db/sql', 0)

    await killHolder()
    expect(lines.join()).toMatch(
      /the holder died; \d+ took over after \d+ ms: 3 sockets, 1 generations, 1 armed/,
    )
    expect(await ask(port)).toEqual({ number: 1, pid })
    expect((await ask(heldPort ?? 0)).number).toBe(7)
    const client = net.connect(join(folder, 'db.sock'))
    await eventually(() => seen('readable').length === 1)
    client.destroy()

    const list = await link.list()
    expect(list.sockets.map(({ name, backlog }) => [name, backlog]).sort()).toEqual([
      ['shop/api/http', 128],
      ['shop/db/sql', 8],
      ['shop/web/http', 64],
    ])
    // Its end is still seen, by a holder that is not its parent.
    expect(await link.signal('shop/api#1', 'SIGKILL', 'all')).toBe(1)
    await eventually(() => seen('gone').length === 1)
    expect(seen('exited')[0]).toMatchObject({ id: 'shop/api#1' })
  })

  test('calls made while there is no holder wait for the next one, in their order', async () => {
    const port = await bindHttp()
    await link.spawn(spec(1))
    const before = link.holderPid
    process.kill(before, 'SIGKILL')
    const two = spec(2, { slots: [{ name: 'shop/api/http', index: 1, fdName: 'http' }] })
    const [, , { pid }] = await Promise.all([
      link.fresh('shop/api/http', 1),
      link.steer('shop/api/http', 1),
      link.spawn(two),
    ])
    expect(link.holderPid).not.toBe(before)
    expect(await ask(port)).toEqual({ number: 2, pid })
    expect((await link.list()).generations).toHaveLength(2)
  })

  test('no connection is refused while holders die under load', async () => {
    const port = await bindHttp()
    const { pid } = await link.spawn(spec(1))
    let failed = 0
    let served = 0
    let going = true
    const load = (async () => {
      while (going) {
        const answer = await ask(port).catch(() => null)
        if (answer?.pid === pid) served += 1
        else failed += 1
      }
    })()
    for (let round = 0; round < 3; round++) await killHolder()
    going = false
    await load
    expect(failed).toBe(0)
    expect(served).toBeGreaterThan(0)
  })

  test('a spawn that the holder died of is not done twice', async () => {
    await bindHttp()
    for (let round = 1; round <= 8; round++) {
      const one = spec(round)
      const spawned = link.spawn(one)
      // Anywhere between the request and its answer.
      const before = link.holderPid
      for (let i = 0; i < round * 40; i++) await new Promise(setImmediate)
      process.kill(before, 'SIGKILL')
      const { pid } = await spawned
      await eventually(() => link.holderPid !== 0 && link.holderPid !== before, {
        dump: async () => lines.join('\n'),
      })
      const mine = await eventually(async () => {
        const found = await leaders(one.invocation)
        return found.length > 0 && found
      })
      expect(mine).toEqual([pid])
    }
  })

  test('what a holder had started and told nobody of is found, and its READY=1 is heard', async () => {
    const port = await bindHttp()
    const one = spec(1)
    await link.arm('shop/api', one)
    // As the holder leaves it when it dies between fork and `spawned`: a session leader with that invocation,
    // whose notify socket is dead.
    const again = 'until systemd-notify --no-block --ready 2>/dev/null; do sleep 0.02; done; exec sleep 60'
    const orphan = spawn('/bin/sh', ['-c', again], {
      detached: true,
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        DEVSOCK_TEST: folder,
        DEVSOCK_INVOCATION: one.invocation,
        NOTIFY_SOCKET: join(folder, 'n', '77'),
      },
    })
    await once(orphan, 'spawn')
    await killHolder()
    await eventually(() => seen('ready').length === 1)
    expect(seen('spawned')).toEqual([
      expect.objectContaining({
        key: 'shop/api',
        id: 'shop/api#1',
        pid: orphan.pid,
        socket: 'shop/api/http',
      }),
    ])
    const list = await link.list()
    expect(list.armed).toEqual([])
    expect(list.generations).toEqual([
      expect.objectContaining({ pid: orphan.pid, ready: true, phase: 'running' }),
    ])
    // Nothing else was started for this connection.
    using _client = probe({ host: '127.0.0.1', port, slot: 0 })
    expect(await leaders(one.invocation)).toEqual([orphan.pid])
  })

  test('an end that nobody saw is told when the next holder looks', async () => {
    await bindHttp()
    const { pid } = await link.spawn(spec(1))
    // Both at once: the holder cannot report it.
    process.kill(link.holderPid, 'SIGSTOP')
    process.kill(pid, 'SIGKILL')
    await killHolder()
    await eventually(() => seen('gone').length === 1)
    expect(events.map(({ type }) => type)).toEqual(['exited', 'gone'])
    // Its status too, where nobody has reaped it yet and the kernel tells (pidfd_open(2), PIDFD_INFO_EXIT).
    expect(seen('exited')[0]).toMatchObject({ id: 'shop/api#1', code: null })
  })

  test('ready is heard by the holder that came after', async () => {
    await bindHttp()
    const notify = `
      const { existsSync } = require('node:fs')
      const { execFileSync } = require('node:child_process')
      const wait = setInterval(() => {
        if (!existsSync(${JSON.stringify(join(folder, 'go'))})) return
        clearInterval(wait)
        execFileSync('systemd-notify', ['--ready'])
      }, 5)
      setInterval(() => {}, 1e6)`
    await link.spawn(spec(1, { argv: [process.execPath, '-e', notify] }))
    await killHolder()
    closeSync(openSync(join(folder, 'go'), 'w'))
    await eventually(() => seen('ready').length === 1)
    await killHolder()
    expect((await link.list()).generations).toEqual([
      expect.objectContaining({ id: 'shop/api#1', ready: true }),
    ])
  })

  test('a thousand rounds of fresh and steer leave no descriptor behind', async () => {
    await bindHttp()
    await link.fresh('shop/api/http', 1)
    await link.list()
    const count = (): number => readdirSync('/proc/self/fd').length
    const before = count()
    for (let round = 0; round < 1000; round++) {
      await Promise.all([link.fresh('shop/api/http', round % 2), link.steer('shop/api/http', round % 2)])
    }
    await link.list()
    expect(count()).toBe(before)
  })
})

/** Session leaders with that invocation, by their environment. */
async function leaders(invocation: string): Promise<number[]> {
  const all = await processesWith([`DEVSOCK_INVOCATION=${invocation}`])
  return all
    .map(({ pid }) => pid)
    .filter((pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]) === pid
    })
}
