/** What a Node process does about its connections in a swap. Loaded when its first server listens on a slot. */

import type { Server } from 'node:net'
import { nextTick } from 'node:process'
import { Mover } from './mover.ts'
import { quietly } from './quietly.ts'
import { Served } from './served.ts'

let mover: Mover | null = null

/** `position`: of the slot that it listens on. */
export function onListening(server: Server, position: number): void {
  // Node's own listener of 'listening', which is called first, makes an HTTP server what it is.
  nextTick(quietly, () => {
    if (!Served.can(server)) return
    mover ??= new Mover(process.env.DEVSOCK_HOLDER ?? '')
    mover.add(new Served(server, position, mover))
  })
}
