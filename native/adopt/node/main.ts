/** What a Node process does about its connections in a swap. Loaded when its first server listens on a slot. */

import type { Server } from 'node:net'
import { nextTick } from 'node:process'
import type { Mover } from './mover.ts'
import { quietly } from './quietly.ts'
import { Served } from './served.ts'

let mover: Promise<Mover> | null = null

/** `position`: of the slot that it listens on. */
export function onListening(server: Server, position: number): void {
  // Node's own listener of 'listening', which is called first, makes an HTTP server what it is.
  nextTick(quietly, () => {
    if (!Served.can(server)) return
    const served = new Served(server, position)
    // Who has waited for this server is accepted in the first round of the event loop and read from in the second: the
    // addon, and what else is for the end of the process, comes after the answers.
    setImmediate(() => setImmediate(quietly, () => moved(served)))
  })
}

async function moved(served: Served): Promise<void> {
  mover ??= import('./mover.ts').then(({ Mover }) => new Mover(process.env.DEVSOCK_HOLDER ?? ''))
  ;(await mover).add(served)
}
