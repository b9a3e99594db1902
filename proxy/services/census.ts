import { readFileSync } from 'node:fs'
import { type Connection, connections, queueDepth } from '../../native/index.ts'
import { printAddress } from '../config/address.ts'
import type { Handover, SocketStatus } from '../protocol.ts'
import type { Context } from './context.ts'
import { allProcesses } from './processes.ts'
import type { Service } from './state.ts'
import type { Unit } from './unit.ts'
import { currentGeneration, type Measured } from './view.ts'

/** Type of the page size in the auxiliary vector (getauxval(3)). */
const AT_PAGESZ = 6n

/** One look at the kernel's tables, for the status of any number of services. */
export class Census {
  /** Every connection of this machine. */
  readonly connections: readonly Connection[]
  readonly #context: Context
  readonly #established = new Map<number, number>()
  #usage: Map<number, Usage> | null = null

  constructor(context: Context) {
    this.#context = context
    this.connections = unlessShort(() => connections({ states: 'connected' }), [])
    for (const { localPort, inode } of this.connections) {
      if (inode !== 0) this.#established.set(localPort, (this.#established.get(localPort) ?? 0) + 1)
    }
  }

  measure(unit: Unit, service: Service): Measured {
    const { front } = service
    const taken = front.kind === 'conflict' ? front.taken : []
    const sockets = unit.eachSocket((name, socket): SocketStatus => {
      const port = unit.port(socket)
      const slot = bound(service) ? this.#context.holder.socket(name)?.slots[service.steered] : undefined
      return {
        name: socket.name,
        address: port === null ? printAddress(socket.address) : printAddress(withPort(socket.address, port)),
        port,
        url: unit.url(socket),
        queued: slot === undefined ? 0 : unlessShort(() => queueDepth(slot), 0),
        open: port === null || !bound(service) ? 0 : (this.#established.get(port) ?? 0),
        owner: taken.find((each) => each.socket === socket.name)?.owners[0] ?? null,
      }
    })
    const isBusy = sockets.some(({ open, queued }) => open + queued > 0)
    if (isBusy) unit.lastConnectionAt = this.#context.now()
    const { memory, cpu } = unlessShort(() => this.#measure(unit), { memory: null, cpu: null })
    return {
      sockets,
      memory,
      cpu,
      lastConnectionAt: unit.lastConnectionAt,
      idleAt: isBusy ? null : unit.idleAt,
      debugger: false,
      handover: handover(unit, service),
    }
  }

  /** Of the process groups of all living generations, not of what only waits; null when none lives. */
  #measure(unit: Unit): Pick<Measured, 'memory' | 'cpu'> {
    const groups = [...unit.leaders].flatMap(([number, group]) => (unit.uncalled.has(number) ? [] : group))
    if (groups.length === 0) return { memory: null, cpu: null }
    this.#usage ??= usageByGroup()
    let pages = 0
    const times = new Map<number, number>()
    for (const group of groups) {
      const usage = this.#usage.get(group)
      pages += usage?.pages ?? 0
      times.set(group, usage?.cpuMs ?? 0)
    }
    return { memory: pages * pageSize(), cpu: unit.cpu.read(times, this.#context.now()) }
  }
}

/** Where no descriptor is left to look with, less is shown, and that is all. */
export function unlessShort<T>(look: () => T, otherwise: T): T {
  try {
    return look()
  } catch (error) {
    if (/^(EMFILE|ENFILE)$/.test((error as NodeJS.ErrnoException).code ?? '')) return otherwise
    throw error
  }
}

/** What the processes of a group use together. */
interface Usage {
  pages: number
  cpuMs: number
}

/** A program that is ready and says nothing is a static one, or not adopted: there is one way that it can have come by. */
function handover(unit: Unit, service: Service): Handover {
  const current = currentGeneration(service)
  if (current === null) return null
  return unit.adoption(current.number).handover ?? (service.front.kind === 'ready' ? 'inherited' : null)
}

const bound = ({ front }: Service): boolean =>
  front.kind !== 'stopped' && front.kind !== 'binding' && front.kind !== 'conflict'

function withPort(address: Unit['service']['sockets'][number]['address'], port: number): typeof address {
  if (address.kind === 'unix') return address
  return address.kind === 'auto' ? { kind: 'loopback', port } : { ...address, port }
}

function usageByGroup(): Map<number, Usage> {
  const usage = new Map<number, Usage>()
  for (const { group, pages, cpuMs } of allProcesses()) {
    const sum = usage.get(group) ?? { pages: 0, cpuMs: 0 }
    usage.set(group, { pages: sum.pages + pages, cpuMs: sum.cpuMs + cpuMs })
  }
  return usage
}

function pageSize(): number {
  const vector = readFileSync('/proc/self/auxv')
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8))
  }
  return 4096
}
