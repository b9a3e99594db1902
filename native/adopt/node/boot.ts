/**
 * In every Node process of a generation, by NODE_OPTIONS: waits until a server listens, and costs nothing before.
 * The rest is loaded then (server.ts). Syntax and calls are such that a Node of any age can read them, and does
 * nothing where it is too old for the rest.
 */
import type { Server } from 'node:net'

const LISTENS = 'tracing:net.server.listen:asyncEnd'
/** The first with a Node-API of version 9, which the addon needs. */
const OLDEST_MAJOR = 18

/**
 * Booted ahead of time: waits here until the holder calls it. The first process of a generation alone has this
 * variable. Who may not wait, or has lost its holder, must not run: it could read what is old by the time it serves.
 */
function standBy(fd: number): void {
  delete process.env.DEVSOCK_STANDBY
  const { closeSync, readSync, writeSync } = require('node:fs') as typeof import('node:fs')
  try {
    writeSync(fd, 'w')
    if (readSync(fd, Buffer.alloc(1)) === 1) return closeSync(fd)
  } catch (_) {
    // It is not the first: the descriptor is no more.
  }
  process.exit(1)
}

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
