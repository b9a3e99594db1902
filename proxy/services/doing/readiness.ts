import { request } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Descriptor, probe } from '../../../native/index.ts'
import { listListeners } from '../../ports/listeners.ts'
import { waiting } from '../kernel.ts'
import { generationId } from '../names.ts'
import { allProcesses } from '../processes.ts'
import { pause, type Task } from './task.ts'

/** Milliseconds between two looks at a queue (2 µs each): fine while a start is young, then coarser. */
const lookAfter = (age: number): number => (age < 1_000 ? 2 : age < 10_000 ? 10 : 50)
const HTTP_AGAIN_MS = 50
const HTTP_TIMEOUT_MS = 2_000

interface Awaited {
  number: number
  lane: number
}

/**
 * Tells `ready` by the first sign of it: READY=1, and what the configuration names (a log line, an HTTP answer),
 * else that the program takes connections from its slot. Where no client has come, devsock connects to that slot
 * itself. After the time-out: `not-ready`, with what the program listens on instead.
 */
export async function awaitReady(task: Task, awaited: Awaited): Promise<void> {
  const { ready } = task.unit.service
  const { number, lane } = awaited
  const over = AbortSignal.any([task.signal, AbortSignal.timeout(ready.timeoutMs)])
  const within: Task = { ...task, signal: over }
  const signs = [notified(within, number)]
  if (ready.kind === 'accept') signs.push(taken(within, lane))
  if (ready.kind === 'log') signs.push(logged(within, number, new RegExp(ready.pattern)))
  if (ready.kind === 'http') signs.push(answers(within, lane, ready.path))
  let queued = 0
  try {
    queued = await Promise.race(signs)
  } catch (error) {
    if (task.signal.aborted) return
    if (!over.aborted) throw error
    const { message, hint } = await explain(task, awaited)
    return task.tell({ type: 'not-ready', number, message, hint })
  }
  task.tell({ type: 'ready', number, queued })
}

/** READY=1 (sd_notify(3)). */
async function notified(task: Task, number: number): Promise<number> {
  await task.context.expect.notified(generationId(task.unit.id, number), task.signal)
  return 0
}

/** The queue is taken: the number of connections that waited in it. A worker has none and is ready when it runs. */
async function taken(task: Task, lane: number): Promise<number> {
  if (task.unit.service.sockets.length === 0) return 0
  const began = task.context.now()
  let most = waiting(task, lane)
  // A generation that a connection woke may have taken it before this first look.
  if (most === 0 && task.state().reason.code === 'first-connection') return 1
  using knock = most === 0 ? connectTo(task, lane) : null
  for (;;) {
    const depth = waiting(task, lane)
    if (depth < most) return knock === null ? most : most - 1
    most = Math.max(most, depth)
    await pause(lookAfter(task.context.now() - began), task)
  }
}

/** Connects to the first socket's slot, whichever slot is steered to. */
function connectTo({ unit, state }: Task, lane: number): Descriptor {
  const [first] = unit.service.sockets
  if (first === undefined) throw new Error('a worker has no slot to connect to')
  if (first.address.kind === 'unix') {
    // A slot that is not steered to is bound under a name beside the path (ARCHITECTURE.md, `fresh`).
    const { path } = first.address
    return probe({ path: state().steered === lane ? path : `${path}~` })
  }
  const host = first.address.kind === 'ip' ? reachable(first.address.host) : '127.0.0.1'
  return probe({ host, port: unit.port(first) ?? 0, slot: lane })
}

const reachable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host)

async function logged(task: Task, number: number, pattern: RegExp): Promise<number> {
  const log = task.unit.log(number)
  await new Promise<void>((resolve, reject) => {
    const follower = log.follow(
      (lines) => {
        if (lines.some(({ text }) => pattern.test(text))) resolve()
      },
      { from: 0 },
    )
    task.signal.addEventListener('abort', () => {
      follower.close()
      reject(task.signal.reason)
    })
  })
  return waiting(task, task.state().steered)
}

/** Any answer below 500 (other than a redirect's target, nothing is followed). */
async function answers(task: Task, lane: number, path: string): Promise<number> {
  for (;;) {
    const status = await head(connectTo(task, lane), path, task.signal)
    if (status !== null && status < 500) return waiting(task, lane)
    await delay(HTTP_AGAIN_MS, undefined, { signal: task.signal })
  }
}

function head(connection: Descriptor, path: string, signal: AbortSignal): Promise<number | null> {
  const socket = new Socket({ fd: connection.release(), readable: true, writable: true })
  return new Promise((resolve) => {
    const asked = request({
      createConnection: () => socket,
      path,
      signal,
      timeout: HTTP_TIMEOUT_MS,
      headers: { host: 'localhost', connection: 'close' },
    })
    asked.on('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? null)
      socket.destroy()
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(null))
    asked.on('close', () => resolve(null))
    asked.end()
  })
}

/** Where the program listens instead, if it does. */
async function explain(task: Task, { number }: Awaited): Promise<{ message: string; hint: string | null }> {
  const { ready, sockets, name } = task.unit.service
  const seconds = `${ready.timeoutMs / 1000} s`
  if (ready.kind === 'notify')
    return { message: `no READY=1 within ${seconds}`, hint: 'it has to send it to NOTIFY_SOCKET (sd_notify)' }
  if (ready.kind === 'log')
    return {
      message: `no log line matched ${ready.pattern} within ${seconds}`,
      hint: `see: devsock logs ${name}`,
    }
  if (ready.kind === 'http')
    return {
      message: `no answer below 500 from ${ready.path} within ${seconds}`,
      hint: `see: devsock logs ${name}`,
    }
  const group = task.unit.leaders.get(number)
  const pids = new Set(allProcesses().flatMap((each) => (each.group === group ? [each.pid] : [])))
  const held = new Set(task.unit.ports.values())
  const elsewhere = (await listListeners()).find(
    ({ port, owners }) => !held.has(port) && owners.some(({ pid }) => pids.has(pid)),
  )
  const port = sockets[0] ? task.unit.port(sockets[0]) : null
  if (elsewhere) {
    return {
      message: `it listens on port ${elsewhere.port}, not on its socket (port ${port}) at fd 3`,
      hint: 'make it listen on fd 3 (LISTEN_FDS)',
    }
  }
  return {
    message: `it accepted no connection on fd 3 within ${seconds}`,
    hint: 'make it listen on fd 3 (LISTEN_FDS), or raise ready.timeout',
  }
}
