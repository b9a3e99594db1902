import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ResolvedProject } from './types.ts'

/** Inclusive. */
export interface PortRange {
  low: number
  high: number
}

export interface AutoIdentity {
  /** Project id and folder: two worktrees of one project get ports of their own. */
  id: string
  dir: string
  service: string
  socket: string
}

/** What Linux and macOS use if nothing can be read, taken together. */
const DEFAULT_EPHEMERAL: PortRange = { low: 32768, high: 65535 }

/** Above the ports that programs are known by, below those that the kernel gives to connections. */
const PREFERRED: PortRange = { low: 20_000, high: 32_767 }
const FALLBACK: PortRange = { low: 10_000, high: 65_535 }

/** A smaller choice would make two services meet too often. */
const ENOUGH = 1_000

/**
 * Ports to try for an `auto` address, each once, best first: the same sequence for the same socket every
 * time, so that a port is kept over restarts and bookmarks stay right. None is in the ephemeral range, where
 * an outgoing connection could have it just then.
 */
export function* autoPorts(identity: AutoIdentity, ephemeral = ephemeralRange()): Generator<number> {
  const pool = candidates(ephemeral)
  const { id, dir, service, socket } = identity
  const hash = createHash('sha256').update([id, dir, service, socket].join('\0')).digest()
  const start = hash.readUInt32BE(0) % pool.length
  const step = coprime(1 + (hash.readUInt32BE(4) % pool.length), pool.length)
  for (let index = 0; index < pool.length; index++) {
    const port = pool[(start + index * step) % pool.length]
    if (port !== undefined) yield port
  }
}

/** Ports that the kernel gives to connections (ip(7)). */
export function ephemeralRange(file = '/proc/sys/net/ipv4/ip_local_port_range'): PortRange {
  try {
    const [low, high] = readFileSync(file, 'utf8').trim().split(/\s+/).map(Number)
    return low && high ? { low, high } : DEFAULT_EPHEMERAL
  } catch (error) {
    // Not Linux, or a sandbox without /proc.
    if (/^(ENOENT|EACCES)$/.test((error as NodeJS.ErrnoException).code ?? '')) return DEFAULT_EPHEMERAL
    throw error
  }
}

/** `--auto-ports`: every fixed port becomes a free one, which the program still believes to be its own. */
export function withAutoPorts(project: ResolvedProject): ResolvedProject {
  const services = project.services.map((service) => ({
    ...service,
    sockets: service.sockets.map((socket) => {
      const { address } = socket
      if (address.kind === 'unix' || address.kind === 'auto') return socket
      return { ...socket, address: { kind: 'auto' as const }, binds: socket.binds ?? address.port }
    }),
  }))
  return { ...project, services }
}

function candidates(ephemeral: PortRange): number[] {
  for (const range of [PREFERRED, FALLBACK]) {
    const ports = portsOf(range).filter((port) => port < ephemeral.low || port > ephemeral.high)
    if (ports.length >= ENOUGH) return ports
  }
  // Everything was declared ephemeral: a port that may be in use is better than none.
  return portsOf(FALLBACK)
}

function portsOf({ low, high }: PortRange): number[] {
  return Array.from({ length: high - low + 1 }, (_, index) => low + index)
}

/** The first number from `from` on that has no divisor in common with `count`: stepping by it visits all. */
function coprime(from: number, count: number): number {
  let step = from
  while (greatestCommonDivisor(step, count) !== 1) step += 1
  return step
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
