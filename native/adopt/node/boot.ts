/**
 * In every Node process of a generation, by NODE_OPTIONS: waits until a server listens, and costs nothing before.
 * The rest is loaded then (server.ts). Syntax and calls are such that a Node of any age can read them, and does
 * nothing where it is too old for the rest.
 */
import type { Server } from 'node:net'
import { standBy } from './standby.ts'

const LISTENS = 'tracing:net.server.listen:asyncEnd'
/** The first with a Node-API of version 9, which the addon needs. */
const OLDEST_MAJOR = 18

function boot(): void {
  const { env, versions } = process
  if (env.DEVSOCK_STANDBY) standBy(Number(env.DEVSOCK_STANDBY))
  const isNode = versions.bun === undefined && versions.deno === undefined
  if (!isNode || Number.parseInt(versions.node, 10) < OLDEST_MAJOR) return
  if (env.DEVSOCK === '0' || !env.DEVSOCK_INVOCATION || !env.DEVSOCK_HOLDER) return
  const { subscribe } = require('node:diagnostics_channel') as typeof import('node:diagnostics_channel')
  subscribe(LISTENS, (message) => {
    const { server } = message as { server: Server }
    // What cannot be loaded leaves the server as it is: it is drained by the kernel's view.
    import('./main.ts').then(({ onListening }) => onListening(server)).catch(() => undefined)
  })
}

try {
  boot()
} catch (_) {
  // A runtime of another kind: the program is none the worse for it.
}
