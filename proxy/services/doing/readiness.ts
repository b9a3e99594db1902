import { request } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Descriptor } from '../../../native/index.ts'
import { listListeners } from '../../ports/listeners.ts'
import { waiting } from '../kernel.ts'
import { generationId } from '../names.ts'
import { allProcesses } from '../processes.ts'
import { type Awaited, connectTo, taken } from './taken.ts'
import type { Task } from './task.ts'

const HTTP_AGAIN_MS = 50
const HTTP_TIMEOUT_MS = 2_000

/**
 * Tells `ready` by the first sign of it: READY=1, and what the configuration names (a log line, an HTTP answer),
 * else that the program takes connections from its slot, or is seen to wait for them. After the time-out:
 * `not-ready`, with what the program listens on instead.
 */
export async function awaitReady(task: Task, awaited: Awaited): Promise<void> {
  const { ready } = task.unit.service
  const { number, lane } = awaited
  const over = AbortSignal.any([task.signal, AbortSignal.timeout(ready.timeoutMs)])
  const within: Task = { ...task, signal: over }
  const signs = [notified(within, number)]
  if (ready.kind === 'accept') signs.push(taken(within, awaited))
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
      message: `it listens on port ${elsewhere.port}, not on its socket (port ${port})`,
      hint: `set listen to ${elsewhere.port}, or { address: ${port}, binds: ${elsewhere.port} } to keep port ${port}`,
    }
  }
  return {
    message: `it accepted no connection on its socket (port ${port}) within ${seconds}`,
    hint: 'make it listen there, or on fd 3 (LISTEN_FDS), or raise ready.timeout',
  }
}
