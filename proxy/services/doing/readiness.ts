import { request } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Descriptor } from '../../../native/index.ts'
import { portElsewhere } from '../elsewhere.ts'
import { waiting } from '../kernel.ts'
import { generationId } from '../names.ts'
import { astray } from './astray.ts'
import { call } from './standby.ts'
import { type Awaited, connectTo, taken } from './taken.ts'
import type { Task } from './task.ts'

const HTTP_AGAIN_MS = 50
const HTTP_TIMEOUT_MS = 2_000

/**
 * Tells `ready` by the first sign of it: READY=1, and what the configuration names (a log line, an HTTP answer),
 * else that the program takes connections from its slot, or is seen to wait for them. `not-ready` after the time-out,
 * or as soon as it is certain, with what the program listens on instead.
 */
export async function awaitReady(task: Task, awaited: Awaited & { standby: boolean }): Promise<void> {
  if (awaited.standby && !(await call(task, awaited.number))) return
  const { ready } = task.unit.service
  const { number, lane } = awaited
  // Not AbortSignal.any(): Node 20 keeps what it returns for ever.
  const over = new AbortController()
  const end = (): void => over.abort(task.signal.reason)
  task.signal.addEventListener('abort', end)
  const timeout = setTimeout(end, ready.timeoutMs)
  const within: Task = { ...task, signal: over.signal }
  const signs = [notified(within, number)]
  if (ready.kind === 'accept') signs.push(taken(within, awaited))
  if (ready.kind === 'log') signs.push(logged(within, number, new RegExp(ready.pattern)))
  if (ready.kind === 'http') signs.push(answers(within, lane, ready.path))
  const never = task.unit.ports.size === 0 ? [] : [stray(within, awaited)]
  try {
    const sign = await Promise.race([...signs, ...never])
    if (typeof sign === 'number') task.tell({ type: 'ready', number, queued: sign })
    else task.tell({ type: 'not-ready', number, ...sign })
  } catch (error) {
    if (task.signal.aborted) return
    if (!over.signal.aborted) throw error
    task.tell({ type: 'not-ready', number, ...(await explain(task, awaited)) })
  } finally {
    clearTimeout(timeout)
    task.signal.removeEventListener('abort', end)
    end()
  }
}

interface NotReady {
  message: string
  hint: string | null
}

/** What is certain before the time-out. */
const stray = async (task: Task, awaited: Awaited): Promise<NotReady> =>
  listensElsewhere(task, await astray(task, awaited))

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

/** Why it was not ready in time: where the program listens instead, if it does. */
async function explain(task: Task, { number }: Awaited): Promise<NotReady> {
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
  const elsewhere = await portElsewhere(task.unit, [task.unit.leaders.get(number)])
  if (elsewhere !== null) return listensElsewhere(task, elsewhere)
  const port = sockets[0] ? task.unit.port(sockets[0]) : null
  return {
    message: `it accepted no connection on its socket (port ${port}) within ${seconds}`,
    hint: 'make it listen there, or on fd 3 (LISTEN_FDS), or raise ready.timeout',
  }
}

function listensElsewhere({ unit }: Task, elsewhere: number): NotReady {
  const [first] = unit.service.sockets
  const port = first ? unit.port(first) : null
  return {
    message: `it listens on port ${elsewhere}, not on its socket (port ${port})`,
    hint: `set listen to ${elsewhere}, or { address: ${port}, binds: ${elsewhere} } to keep port ${port}`,
  }
}
