import { autoPorts } from '../../config/auto.ts'
import type { Address, ResolvedSocket } from '../../config/types.ts'
import { HolderError } from '../../holder/error.ts'
import { conflictOf } from '../../ports/conflict.ts'
import { whenFree } from '../../ports/waiter.ts'
import type { Reason } from '../../protocol.ts'
import { socketName } from '../names.ts'
import { reason } from '../reasons.ts'
import type { Taken } from '../state.ts'
import { pause, type Task } from './task.ts'

/** How many ports an `auto` address tries before it gives up: that many taken in a row is no coincidence. */
const AUTO_TRIES = 50

/** A port that is free by the kernel's tables and still cannot be bound (TIME_WAIT of a foreign kind, a race). */
const BIND_AGAIN_MS = 500

interface Obstacle extends Taken {
  reason: Reason
}

/** Binds every socket, or none. Waits for the siblings, so that whoever starts first knows all their ports. */
export async function bind(task: Task): Promise<void> {
  const { unit, context, signal } = task
  using _ = unit.home.binding.enter()
  const { sockets } = unit.service
  const onConflict = conflictPolicy(task)
  const results = await Promise.all(sockets.map((socket) => bindOne(task, socket)))
  const found = results.filter((result) => result !== null)
  const [first] = found
  if (signal.aborted) return
  if (first) {
    await Promise.all(unit.eachSocket((name) => context.holder.drop(name)))
    unit.ports.clear()
    return task.tell({
      type: 'bind-failed',
      taken: found.map(({ socket, owners }) => ({ socket, owners })),
      external: onConflict === 'use' && found.every(({ owners }) => owners.length > 0),
      reason: { ...first.reason, message: found.map((each) => each.reason.message).join('; ') },
    })
  }
  _[Symbol.dispose]()
  await unit.home.binding.empty()
  task.tell({ type: 'bound' })
}

async function bindOne(task: Task, socket: ResolvedSocket): Promise<Obstacle | null> {
  const { address } = socket
  if (address.kind === 'auto' || conflictPolicy(task) === 'auto') {
    const written = address.kind === 'auto' || address.kind === 'unix' ? [] : [address.port]
    return bindAny(task, socket, written)
  }
  return attempt(task, socket, address)
}

const conflictPolicy = ({ unit }: Task): string => unit.home.conflicts ?? unit.service.onConflict

/** The port it had, the one that was written, then the stable sequence of `auto`. */
async function bindAny(task: Task, socket: ResolvedSocket, written: number[]): Promise<Obstacle | null> {
  const { unit } = task
  const had = unit.ports.get(socket.name)
  const sequence = autoPorts({
    id: unit.project,
    dir: unit.home.dir,
    service: unit.name,
    socket: socket.name,
  })
  let last: Obstacle | null = null
  let tries = 0
  for (const port of [...(had === undefined ? [] : [had]), ...written, ...sequence]) {
    if (tries === AUTO_TRIES || task.signal.aborted) break
    tries += 1
    const address: Address =
      socket.address.kind === 'ip' || socket.address.kind === 'wildcard'
        ? { ...socket.address, port }
        : { kind: 'loopback', port }
    last = await attempt(task, socket, address)
    if (last === null) return null
  }
  return last
}

/** null: it is bound. */
async function attempt(task: Task, socket: ResolvedSocket, address: Address): Promise<Obstacle | null> {
  const { unit, context } = task
  const mode = address.kind === 'unix' ? address.mode : 0o600
  try {
    const name = socketName(unit.id, socket.name)
    const { port } = await context.holder.bind(name, holderAddress(address), {
      backlog: socket.backlog,
      mode,
    })
    if (port !== null) unit.ports.set(socket.name, port)
    return null
  } catch (error) {
    if (error instanceof HolderError) return { socket: socket.name, ...(await obstacleOf(error, address)) }
    throw error
  }
}

async function obstacleOf(error: HolderError, address: Address): Promise<Omit<Obstacle, 'socket'>> {
  const port = address.kind === 'unix' || address.kind === 'auto' ? 0 : address.port
  const what = address.kind === 'unix' ? address.path : `port ${port}`
  const failed = (message: string, hint: string | null): Omit<Obstacle, 'socket'> => ({
    owners: [],
    reason: reason('bind-failed', message, hint),
  })
  switch (error.code) {
    case 'EADDRINUSE': {
      const { owners, message } = await conflictOf(address, port)
      const hint = address.kind === 'unix' ? null : `end it with: devsock free ${port}`
      return { owners, reason: reason('port-taken', message, hint) }
    }
    case 'EACCES':
    case 'EPERM':
      if (address.kind === 'unix')
        return failed(`${what} may not be created`, 'look at the permissions of its folder')
      return failed(
        `${what} needs a privilege: ports below the system's limit are root's`,
        'use a port from 1024 on, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=80',
      )
    case 'EADDRNOTAVAIL':
      return failed(`this machine has no such address: ${error.message}`, 'correct `listen`')
    case 'ENOENT':
    case 'ENOTDIR':
      return failed(`the folder of ${what} does not exist`, 'create it, or correct `listen`')
    case 'EMFILE':
    case 'ENFILE':
      return failed(
        'out of file descriptors',
        'raise the hard limit (ulimit -Hn), then `devsock daemon restart`',
      )
    default:
      return failed(`${what} cannot be bound: ${error.syscall}: ${error.code}`, error.message || null)
  }
}

/** As the holder's protocol writes it. */
function holderAddress(address: Address): string {
  switch (address.kind) {
    case 'auto':
      return 'loopback:0'
    case 'loopback':
      return `loopback:${address.port}`
    case 'wildcard':
      return `wildcard:${address.port}`
    case 'ip':
      return `ip:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
    case 'unix':
      return `unix:${address.path}`
  }
}

/** Waits until nobody stands in the way of any socket, and tells so: the service then binds without being asked. */
export async function awaitPort(task: Task): Promise<void> {
  const { unit, signal } = task
  // What was free a moment ago and still failed would otherwise be tried in a circle.
  await pause(BIND_AGAIN_MS, task)
  for (const { address } of unit.service.sockets) {
    if (address.kind === 'auto') continue
    const port = address.kind === 'unix' ? 0 : address.port
    await new Promise<void>((resolve) => {
      const waiter = whenFree(address, port, resolve)
      signal.addEventListener('abort', () => waiter[Symbol.dispose]())
    })
  }
  task.tell({ type: 'port-free' })
}

/** Closes the sockets. What an armed spec has started meanwhile is told before, and ends this first. */
export async function release(task: Task): Promise<void> {
  const { unit, context, signal } = task
  await context.holder.disarm(unit.id)
  if (signal.aborted) return
  await Promise.all(unit.eachSocket((name) => context.holder.drop(name)))
  unit.lastConnectionAt = null
  task.tell({ type: 'released' })
}
