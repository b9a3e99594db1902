import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'

/**
 * Ports for configurations, which name theirs before anything is bound. They come from below the kernel's
 * ephemeral range (32768…), where no client's source port can take one in between, and below those of `auto`
 * addresses (20000…). Test files run at the same time in processes whose numbers are close together: the stride
 * keeps them, and other runs, apart.
 */
const FIRST = 10_000
const SPAN = 10_000
const STRIDE = 677
let next = (process.pid * STRIDE) % SPAN

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < STRIDE; tries++) {
    const port = FIRST + (next++ % SPAN)
    if (await isFree(port)) return port
  }
  throw new Error('no free port left for this process')
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen({ port, exclusive: true }), 'listening')
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  } finally {
    server.close()
  }
}

/** TCP sockets of this machine that listen, from proc_net_tcp (state 0A). */
export async function listeners(): Promise<{ port: number; inode: number }[]> {
  const found: { port: number; inode: number }[] = []
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8')).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (fields[3] !== '0A') continue
      found.push({ port: Number.parseInt(fields[1]?.split(':')[1] ?? '', 16), inode: Number(fields[9]) })
    }
  }
  return found
}

export const listeningPorts = async (): Promise<Set<number>> =>
  new Set((await listeners()).map(({ port }) => port))
