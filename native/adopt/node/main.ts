/** Loaded when the first server of a process listens: what a Node process does about its connections in a swap. */

import type { Server } from 'node:net'
import { nextTick } from 'node:process'
import type { HttpServer } from './internals.ts'
import { Mover } from './mover.ts'
import { quietly } from './quietly.ts'
import { Served } from './served.ts'
import { positionOf, readSlots } from './slots.ts'

const slots = readSlots(process.env)
let mover: Mover | null = null

export function onListening(server: Server): void {
  const position = positionOf(server as HttpServer, slots)
  if (position < 0) return
  // Node's own listener of 'listening', which is called first, makes an HTTP server what it is.
  nextTick(quietly, () => {
    if (!Served.can(server)) return
    mover ??= new Mover(process.env.DEVSOCK_HOLDER ?? '')
    mover.add(new Served(server, position, mover))
  })
}
