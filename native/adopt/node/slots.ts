/** Which slot of its generation a server listens on. */
import { fstatSync } from 'node:fs'
import type { HttpServer } from './internals.ts'

/** Of the variables DEVSOCK_SLOTS and DEVSOCK_ADOPT (native/adopt/start.c), by position. */
export interface Slots {
  inodes: number[]
  /** As the program knows it, and as it is held; none of a unix socket. */
  ports: number[][]
}

export function readSlots({ DEVSOCK_SLOTS, DEVSOCK_ADOPT }: NodeJS.ProcessEnv): Slots {
  const ports = DEVSOCK_ADOPT?.split(',') ?? []
  return {
    inodes: DEVSOCK_SLOTS?.split(',').map(Number) ?? [],
    ports: ports.map((port) => port.split('=').map(Number).filter(Boolean)),
  }
}

/** -1: it has none of the generation's. */
export function positionOf(server: HttpServer, { inodes, ports }: Slots): number {
  const fd = server._handle?.fd
  if (fd !== undefined && fd >= 0) return inodes.indexOf(fstatSync(fd).ino)
  // A worker of a cluster that shares by turns: the listener itself is its primary's.
  const address = server.address()
  return address !== null && typeof address === 'object'
    ? ports.findIndex((known) => known.includes(address.port))
    : ports.findIndex((known) => known.length === 0)
}
