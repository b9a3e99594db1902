/**
 * In every Node process of a generation, by NODE_OPTIONS: waits until a server listens on one of the generation's
 * slots, and costs nothing before. The rest is loaded then (main.ts). A Node of any age can read this file and what it
 * imports (no `?.`, no `??`, nothing of Node before its version is known): where it is too old it is left alone.
 */
import type { Server } from 'node:net'
import { positionOf, readSlots } from './slots.ts'

const LISTENS = 'tracing:net.server.listen:asyncEnd'
/** The first with a Node-API of version 9, which the addon needs. */
const OLDEST_MAJOR = 18

/** What most processes never need is in files of its own, beside this one (vite.config.ts). */
const main = (): typeof import('./main.ts') => require('./devsock-node-main.cjs')
const standby = (): typeof import('./standby.ts') => require('./devsock-node-standby.cjs')

function boot(): void {
  const { env, versions } = process
  if (env.DEVSOCK_STANDBY) standBy(Number(env.DEVSOCK_STANDBY))
  const isNode = versions.bun === undefined && versions.deno === undefined
  if (!isNode || Number.parseInt(versions.node, 10) < OLDEST_MAJOR) return
  if (env.DEVSOCK === '0' || !env.DEVSOCK_INVOCATION || !env.DEVSOCK_HOLDER) return
  const { subscribe } = require('node:diagnostics_channel') as typeof import('node:diagnostics_channel')
  const slots = readSlots(env)
  subscribe(LISTENS, async (message) => {
    const { server } = message as { server: Server }
    try {
      const position = positionOf(server, slots)
      if (position < 0) return
      // After the tick that Node has for its own.
      await null
      main().onListening(server, position)
    } catch (_) {
      // What cannot be loaded leaves the server as it is: it is drained by the kernel's view.
    }
  })
}

/** Who may not wait must not run: it could read what is old by the time it serves. */
function standBy(fd: number): void {
  try {
    main()
    standby().standBy(fd)
  } catch (_) {
    process.exit(1)
  }
}

try {
  boot()
} catch (_) {
  // A runtime of another kind: the program is none the worse for it.
}
