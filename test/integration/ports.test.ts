import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Address } from '../../proxy/config/types.ts'
import { conflictOf } from '../../proxy/ports/conflict.ts'
import { freePort, planFree } from '../../proxy/ports/free.ts'
import { listListeners, ownersOf } from '../../proxy/ports/listeners.ts'
import { whenFree } from '../../proxy/ports/waiter.ts'
import { Command } from '../rig/command.ts'
import { scrubbed } from '../rig/environment.ts'
import { eventually } from '../rig/eventually.ts'

const NONE: ReadonlySet<number> = new Set()
const quick = { graceMs: 5_000, force: false, watchMs: 0 }

/** A folder of this test's own, with a name that is found again. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'devsock-ports-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

/** Runs a script that prints the port it listens on, in a process of its own. */
async function listener(
  script: string,
  ...args: string[]
): Promise<{ command: Command; port: number; cwd: string }> {
  const cwd = folder()
  const command = new Command([process.execPath, '-e', script, ...args], cwd, scrubbed())
  onTestFinished(() => command[Symbol.asyncDispose]())
  const port = await eventually(() => Number(/^port (\d+)$/m.exec(command.stdout)?.[1]), {
    what: 'a port',
    dump: async () => command.transcript(),
  })
  return { command, port, cwd }
}

const SERVE = `
  const server = require('node:net').createServer().listen({ port: Number(process.argv[1] ?? 0), host: process.argv[2] ?? '127.0.0.1' }, () =>
    console.log('port ' + server.address().port))`
const IGNORE_TERM = `process.on('SIGTERM', () => console.log('asked'));${SERVE}`
/** A child that does nothing but have the parent's listener open, as fd 3. */
const SHARE = `${SERVE}
  server.on('listening', () => require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'],
    { stdio: ['ignore', 'ignore', 'ignore', server._handle.fd] }))`

/** A listener of this very process. */
async function own(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer().listen({ port, host: '127.0.0.1' })
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { server, port: address.port }
}

const at = (host: string, port: number): Address => ({ kind: 'ip', host, port })
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

describe('who listens where', () => {
  test('pid, command, folder and user of a listener', async () => {
    const { command, port, cwd } = await listener(SERVE)
    const listing = (await listListeners()).find((each) => each.port === port && each.protocol === 'tcp')
    expect(listing).toMatchObject({ address: '127.0.0.1', service: null })
    expect(listing?.owners).toEqual([
      { pid: command.pid, command: expect.stringContaining(process.execPath), cwd, user: expect.any(String) },
    ])
    expect(listing?.owners[0]?.user).not.toMatch(/^\d+$/)
  })

  test('everybody who has the socket open, not only one', async () => {
    const { command, port } = await listener(SHARE)
    const pids = await eventually(async () => {
      const found = (await ownersOf(port)).map(({ pid }) => pid)
      return found.length === 2 ? found : null
    })
    expect(pids).toContain(command.pid)
  })

  test('a client of a port is not its owner', async () => {
    const { server, port } = await own()
    const client = await listener(
      `
      const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1', () => console.log('port ' + process.argv[1]))`,
      String(port),
    )
    expect((await ownersOf(port)).map(({ pid }) => pid)).toEqual([process.pid])
    expect(client.command.pid).not.toBe(process.pid)
    client.command.kill()
    server.close()
  })

  test('IPv6 and UDP are listed too', async () => {
    const { command, port } = await listener(`
      const server = require('node:net').createServer().listen({ port: 0, host: '::1' }, () =>
        require('node:dgram').createSocket('udp4').bind(server.address().port, '127.0.0.1', () => console.log('port ' + server.address().port)))`)
    const found = (await listListeners({ ports: [port] })).map(({ protocol, address }) => [protocol, address])
    expect(found).toEqual([
      ['tcp', '::1'],
      ['udp', '127.0.0.1'],
    ])
    expect((await ownersOf(port, '::1')).map(({ pid }) => pid)).toEqual([command.pid])
    expect(await ownersOf(port, '127.0.0.1')).toEqual([])
  })
})

describe('a conflict names who stands in the way', () => {
  test('a listener, by command, pid, folder and user', async () => {
    const { command, port } = await listener(SERVE)
    for (const address of [
      at('127.0.0.1', port),
      { kind: 'loopback', port } as const,
      { kind: 'wildcard', port } as const,
    ]) {
      const conflict = await conflictOf(address, port)
      expect(conflict.how).toBe('listening')
      expect(conflict.owners.map(({ pid }) => pid)).toEqual([command.pid])
      expect(conflict.message).toMatch(
        new RegExp(`^port ${port} is taken by node -e .*\\(pid ${command.pid}, .*devsock-ports-`),
      )
    }
  })

  test('a port that is only the near end of a connection', async () => {
    const { server, port } = await own()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const near = socket.localPort ?? 0
    const conflict = await conflictOf(at('127.0.0.1', near), near)
    expect(conflict.how).toBe('connected')
    expect(conflict.owners.map(({ pid }) => pid)).toEqual([process.pid])
    const plan = await planFree(near, NONE)
    expect(plan).toEqual({ ok: true, value: { port: near, ends: [] } })
    socket.destroy()
    server.close()
  })

  test('a unix socket', async () => {
    const path = join(folder(), 'app.sock')
    const server = createServer().listen(path)
    await once(server, 'listening')
    const conflict = await conflictOf({ kind: 'unix', path, mode: 0o600 }, 0)
    expect(conflict.owners.map(({ pid }) => pid)).toEqual([process.pid])
    server.close()
  })
})

describe('freeing a port', () => {
  test('ends its listener and is done when the port can be bound', async () => {
    const { command, port } = await listener(SERVE)
    const plan = await planFree(port, NONE)
    expect(plan.ok && plan.value.ends.map(({ pid }) => pid)).toEqual([command.pid])
    const freed = await freePort(port, quick, NONE)
    expect(freed.ok && freed.value.ended.map(({ owner, by }) => [owner.pid, by])).toEqual([
      [command.pid, 'SIGTERM'],
    ])
    await own(port)
  })

  test('ends everybody who has the socket, children too', async () => {
    const { port } = await listener(SHARE)
    await eventually(async () => (await ownersOf(port)).length === 2)
    const freed = await freePort(port, quick, NONE)
    expect(freed.ok && freed.value.ended).toHaveLength(2)
    await own(port)
  })

  test('kills what ignores SIGTERM when its grace is over, with force at once', async () => {
    const stubborn = await listener(IGNORE_TERM)
    const freed = await freePort(stubborn.port, { ...quick, graceMs: 100 }, NONE)
    expect(freed.ok && freed.value.ended.map(({ by }) => by)).toEqual(['SIGKILL'])
    await eventually(() => stubborn.command.stdout.includes('asked'))

    const other = await listener(IGNORE_TERM)
    expect((await freePort(other.port, { ...quick, force: true }, NONE)).ok).toBe(true)
    expect((await other.command.finished()).stdout).not.toContain('asked')
  })

  test('can be called off during the grace, and then kills nobody', async () => {
    const { command, port } = await listener(IGNORE_TERM)
    const controller = new AbortController()
    const freeing = freePort(port, { ...quick, graceMs: 60_000, signal: controller.signal }, NONE)
    await eventually(() => command.stdout.includes('asked'))
    controller.abort()
    expect(await freeing).toMatchObject({ ok: false, failure: { code: 'interrupted' } })
    expect(isAlive(command.pid)).toBe(true)
    command.kill('SIGKILL')
  })

  test('never ends this process, nor what devsock protects', async () => {
    const { port } = await own()
    expect(await freePort(port, quick, NONE)).toMatchObject({ ok: false, failure: { code: 'port-refused' } })
    const held = await listener(SERVE)
    const refused = await freePort(held.port, quick, new Set([held.command.pid]))
    expect(refused).toMatchObject({
      ok: false,
      failure: { code: 'port-refused', hint: expect.stringContaining('devsock stop') },
    })
    expect(isAlive(held.command.pid)).toBe(true)
  })

  test('ends nobody when one of the owners must not be ended', async () => {
    const { command, port } = await listener(SHARE)
    const owners = await eventually(async () => {
      const found = await ownersOf(port)
      return found.length === 2 ? found : null
    })
    const child = owners.find(({ pid }) => pid !== command.pid)?.pid ?? 0
    expect((await freePort(port, quick, new Set([child]))).ok).toBe(false)
    expect([isAlive(command.pid), isAlive(child)]).toEqual([true, true])
  })

  test('a port where nobody listens is free', async () => {
    const { server, port } = await own()
    server.close()
    await once(server, 'close')
    expect(await freePort(port, quick, NONE)).toEqual({ ok: true, value: { port, ended: [] } })
  })

  test('says who restarts it when it comes back', async () => {
    const { command, port } = await listener(`
      const { spawn } = require('node:child_process')
      const server = ${JSON.stringify(SERVE)}
      const start = (port) => {
        const child = spawn(process.execPath, ['-e', server, port], { stdio: ['ignore', 'pipe', 'inherit'] })
        child.stdout.on('data', (text) => {
          process.stdout.write(text)
          port = text.toString().trim().split(' ')[1]
        })
        child.on('exit', () => start(port))
      }
      start('0')`)
    const freed = await freePort(port, { ...quick, watchMs: 5_000 }, NONE)
    expect(freed).toMatchObject({ ok: false, failure: { code: 'port-taken' } })
    expect(!freed.ok && freed.failure.message).toContain('came back')
    expect(!freed.ok && freed.failure.hint).toContain(`kill ${command.pid}`)
  })
})

describe('a port that becomes free by itself is noticed, once', () => {
  const waiting = (port: number) => {
    let calls = 0
    const waiter = whenFree(at('127.0.0.1', port), port, () => {
      calls++
    })
    onTestFinished(() => waiter[Symbol.dispose]())
    return { waiter, calls: () => calls }
  }

  test('when its owner ends', async () => {
    const { command, port } = await listener(SERVE)
    const { calls } = waiting(port)
    command.kill('SIGKILL')
    await eventually(() => calls() === 1)
    await own(port)
  })

  test('when its owner lives on and closes it', async () => {
    const { server, port } = await own()
    const { calls } = waiting(port)
    server.close()
    await eventually(() => calls() === 1)
  })

  test('not while another still has it, and not after disposal', async () => {
    const { command, port } = await listener(SHARE)
    await eventually(async () => (await ownersOf(port)).length === 2)
    const disposed = waiting(port)
    disposed.waiter[Symbol.dispose]()
    const { calls } = waiting(port)
    const child = (await ownersOf(port)).find(({ pid }) => pid !== command.pid)?.pid ?? 0
    process.kill(command.pid, 'SIGKILL')
    await eventually(async () => (await ownersOf(port)).length === 1)
    expect(calls()).toBe(0)
    process.kill(child, 'SIGKILL')
    await eventually(() => calls() === 1)
    expect(disposed.calls()).toBe(0)
  })
})
