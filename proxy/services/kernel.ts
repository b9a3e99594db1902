import { type Connection, connections, queueDepth } from '../../native/index.ts'
import type { Task } from './doing/task.ts'
import { allProcesses, socketInodes, unixConnections } from './processes.ts'

/** As long as most answers take that are not streams. */
const AMBIGUOUS_MS = 500

/** A client's first bytes come within this time of its handshake, on a machine that is busy building. */
const ASKS_WITHIN_MS = 250

type About = Pick<Task, 'context' | 'unit'>

/** Connections that wait in a lane, over all sockets of the service: completed, not accepted. */
export function waiting({ context, unit }: About, lane: number): number {
  let depth = 0
  for (const slot of unit.eachSocket((name) => context.holder.socket(name)?.slots[lane])) {
    if (slot !== undefined) depth += queueDepth(slot)
  }
  return depth
}

/** Connections with the service's TCP ports, accepted ones only: those have an inode. */
export function accepted({ unit }: About): Connection[] {
  return [...unit.ports.values()]
    .flatMap((localPort) => connections({ localPort, states: 'connected' }))
    .filter(({ inode }) => inode !== 0)
}

/** The same of its unix sockets. The kernel does not tell which of them are idle. */
export function acceptedUnix({ unit }: About): { inode: number }[] {
  const paths = new Set<string>()
  for (const { address } of unit.service.sockets) {
    // A slot is bound beside the path before it takes its place, and what it accepts keeps that name.
    if (address.kind === 'unix') paths.add(address.path).add(`${address.path}~`)
  }
  return paths.size === 0 ? [] : unixConnections(paths).map((inode) => ({ inode }))
}

/** Open and waiting connections. */
export function openConnections(about: About, lane: number): number {
  return accepted(about).length + acceptedUnix(about).length + waiting(about, lane)
}

/** Those of `rows` that a process of the group has open. */
export function heldByGroup<T extends { inode: number }>(rows: T[], group: number): T[] {
  if (rows.length === 0) return []
  const members = allProcesses().filter((process) => process.group === group)
  return heldByProcesses(
    rows,
    members.map(({ pid }) => pid),
  )
}

/** Those of `rows` that one of the processes has open. */
export function heldByProcesses<T extends { inode: number }>(rows: T[], pids: number[]): T[] {
  const inodes = new Set(pids.flatMap(socketInodes))
  return rows.filter(({ inode }) => inodes.has(inode))
}

/**
 * Whether a server is in the middle of something on this connection, as far as the kernel can tell: bytes wait
 * in either direction, or it has read since it last wrote. Who has just connected is about to ask: that counts
 * too. (One that stays silent, as browsers open them in advance, is not busy.)
 */
export function isBusy(connection: Connection): boolean {
  const { state, receiveQueue, sendQueue, lastSentMs, lastReceivedMs } = connection
  if (receiveQueue > 0 || sendQueue > 0) return true
  if (state !== 'established' && state !== 'close-wait') return false
  // Until data comes, the kernel counts from the handshake.
  if (connection.segmentsReceived === 0) return lastReceivedMs !== null && lastReceivedMs < ASKS_WITHIN_MS
  if (connection.segmentsSent === 0 || lastSentMs === null || lastReceivedMs === null) return true
  // The kernel counts in ticks: a request and an answer within one look alike, and only time tells.
  return lastReceivedMs < lastSentMs || (lastReceivedMs === lastSentMs && lastSentMs < AMBIGUOUS_MS)
}
