/** Which slot of its generation a server listens on. Read by a Node of any age. */
import type { Server } from 'node:net'
import type { HttpServer } from './internals.ts'

/** Of the variables DEVSOCK_SLOTS and DEVSOCK_ADOPT (native/adopt/start.c), by position. */
export interface Slots {
  inodes: number[]
  /** As the program knows it, and as it is held; none of a unix socket. */
  ports: number[][]
}

export function readSlots({ DEVSOCK_SLOTS, DEVSOCK_ADOPT }: NodeJS.ProcessEnv): Slots {
  const inodes = DEVSOCK_SLOTS ? DEVSOCK_SLOTS.split(',') : []
  const ports = DEVSOCK_ADOPT ? DEVSOCK_ADOPT.split(',') : []
  return {
    inodes: inodes.map(Number),
    ports: ports.map((port) => port.split('=').map(Number).filter(Boolean)),
  }
}

/** -1: it has none of the generation's. */
export function positionOf(server: Server, { inodes, ports }: Slots): number {
  const { fstatSync } = require('node:fs') as typeof import('node:fs')
  const { fd = -1 } = (server as HttpServer)._handle || {}
  if (fd >= 0) return inodes.indexOf(fstatSync(fd).ino)
  // A worker of a cluster that shares by turns: the listener itself is its primary's.
  const address = server.address()
  return address !== null && typeof address === 'object'
    ? ports.findIndex((known) => known.includes(address.port))
    : ports.findIndex((known) => known.length === 0)
}
