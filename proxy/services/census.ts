import { readFileSync } from 'node:fs'
import { connections, queueDepth } from '../../native/index.ts'
import { printAddress } from '../config/address.ts'
import type { SocketStatus } from '../protocol.ts'
import type { Context } from './context.ts'
import { allProcesses } from './processes.ts'
import type { Service } from './state.ts'
import type { Unit } from './unit.ts'
import type { Measured } from './view.ts'

/** Type of the page size in the auxiliary vector (getauxval(3)). */
const AT_PAGESZ = 6n

/** One look at the kernel's tables, for the status of any number of services. */
export class Census {
  readonly #context: Context
  readonly #established = new Map<number, number>()
  #pages: Map<number, number> | null = null

  constructor(context: Context) {
    this.#context = context
    for (const { localPort, inode } of connections({ states: 'connected' })) {
      if (inode !== 0) this.#established.set(localPort, (this.#established.get(localPort) ?? 0) + 1)
    }
  }

  measure(unit: Unit, service: Service): Measured {
    const { front } = service
    const owners = front.kind === 'conflict' ? front.owners : []
    const sockets = unit.eachSocket((name, socket): SocketStatus => {
      const port = unit.port(socket)
      const slot = bound(service) ? this.#context.holder.socket(name)?.slots[service.steered] : undefined
      return {
        name: socket.name,
        address: port === null ? printAddress(socket.address) : printAddress(withPort(socket.address, port)),
        port,
        url: unit.url(socket),
        queued: slot === undefined ? 0 : queueDepth(slot),
        open: port === null || !bound(service) ? 0 : (this.#established.get(port) ?? 0),
        owner: owners[0] ?? null,
      }
    })
    if (sockets.some(({ open, queued }) => open + queued > 0)) unit.lastConnectionAt = this.#context.now()
    return { sockets, memory: this.#memory(unit), lastConnectionAt: unit.lastConnectionAt, debugger: false }
  }

  /** Resident bytes of the process groups of all living generations; null when none lives. */
  #memory(unit: Unit): number | null {
    if (unit.leaders.size === 0) return null
    this.#pages ??= pagesByGroup()
    let pages = 0
    for (const leader of unit.leaders.values()) pages += this.#pages.get(leader) ?? 0
    return pages * pageSize()
  }
}

const bound = ({ front }: Service): boolean =>
  front.kind !== 'stopped' && front.kind !== 'binding' && front.kind !== 'conflict'

function withPort(address: Unit['service']['sockets'][number]['address'], port: number): typeof address {
  if (address.kind === 'unix') return address
  return address.kind === 'auto' ? { kind: 'loopback', port } : { ...address, port }
}

function pagesByGroup(): Map<number, number> {
  const pages = new Map<number, number>()
  for (const process of allProcesses()) {
    pages.set(process.group, (pages.get(process.group) ?? 0) + process.pages)
  }
  return pages
}

function pageSize(): number {
  const vector = readFileSync('/proc/self/auxv')
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8))
  }
  return 4096
}
