import { type Connection, connections } from '../../native/index.ts'
import type { Edge, Wake } from '../protocol.ts'
import { unlessShort } from './census.ts'
import { type Client, clientsOf, type Groups } from './clients.ts'
import type { Context } from './context.ts'
import type { Member } from './member.ts'

/** Edges that are kept: programs come and go, and each is one. */
const MOST_EDGES = 200
/** Wakes kept of a service. */
const MOST_WAKES = 10

const CONNECTED = { states: 'connected' } as const

/**
 * Which service connects to which, and which woke which. The kernel's tables have it: a connection of this machine
 * has two rows, and the one whose remote port is a service's is its client's; its inode is in the descriptors of a
 * process, and its process group is a generation's. Unix sockets are not told: /proc/net/unix has no peers.
 */
export class Graph {
  readonly #context: Pick<Context, 'now' | 'publish' | 'holder'>
  readonly #members: () => Iterable<Member>
  readonly #edges = new Map<string, Edge>()
  /** Whose the client's end of a connection is, by inode; null: nobody's who could be looked at. */
  #clients = new Map<number, Client | null>()

  constructor(context: Pick<Context, 'now' | 'publish' | 'holder'>, members: () => Iterable<Member>) {
    this.#context = context
    this.#members = members
  }

  /** What is known, for whoever begins to listen. */
  snapshot(): { edges: Edge[]; wakes: Wake[] } {
    const wakes = [...this.#members()].flatMap(({ unit }) => unit.wakes)
    return { edges: [...this.#edges.values()], wakes: wakes.toSorted((a, b) => a.at.localeCompare(b.at)) }
  }

  /** A connection started that generation: who made it is looked up before it can go away. */
  woken({ unit }: Member, generation: number): void {
    const at = new Date(this.#context.now()).toISOString()
    const [from = null] =
      this.look(
        unlessShort(() => connections(CONNECTED), []),
        unit.id,
      ).get(unit.id) ?? []
    const wake: Wake = {
      at,
      service: unit.id,
      generation,
      from: from?.id ?? null,
      fromGeneration: from?.generation ?? null,
      ms: null,
    }
    unit.wakes = [...unit.wakes, wake].slice(-MOST_WAKES)
    unit.home.touchSoon()
    this.#tell(wake)
  }

  /** Notes how long a woken generation took, once it is ready. */
  settle({ unit, runner: { state } }: Member): void {
    const wake = unit.wakes.at(-1)
    const { front, readyAt } = state
    if (wake === undefined || wake.ms !== null || front.kind !== 'ready' || readyAt === null) return
    if (front.generation.number !== wake.generation) return
    const ready: Wake = { ...wake, ms: readyAt - front.generation.cause.at }
    unit.wakes = unit.wakes.with(-1, ready)
    unit.home.touch()
    this.#tell(ready)
  }

  /**
   * Brings the edges up to a table of all connections (to one service only, where one is named), and tells those that
   * changed.
   * @returns who is connected to a service, by its id
   */
  look(rows: readonly Connection[], only?: string): Map<string, Client[]> {
    const found = new Map<string, Client[]>()
    for (const [to, inodes] of this.#ends(rows, only)) {
      const clients = inodes.flatMap((inode) => this.#clients.get(inode) ?? []).filter(({ id }) => id !== to)
      found.set(to, clients)
      for (const from of new Set(clients.map(({ id }) => id)))
        this.#seen(from, to, clients.filter(({ id }) => id === from).length)
    }
    for (const edge of this.#edges.values()) {
      if (edge.open === 0 || (only !== undefined && edge.to !== only)) continue
      if (!found.get(edge.to)?.some(({ id }) => id === edge.from)) this.#change({ ...edge, open: 0 })
    }
    return found
  }

  /** Inodes of the clients' ends, by the service that they are connected to. */
  #ends(rows: readonly Connection[], only: string | undefined): Map<string, number[]> {
    const services = new Map<number, string>()
    for (const { unit } of this.#members())
      for (const port of unit.ports.values()) services.set(port, unit.id)
    // A client has a counterpart here: the same port of another machine is nobody's that we know.
    const pairs = new Set<string>()
    for (const { localPort, remotePort } of rows)
      if (services.has(localPort)) pairs.add(`${localPort} ${remotePort}`)
    const ends = new Map<string, number[]>()
    for (const { inode, localPort, remotePort } of rows) {
      const to = services.get(remotePort)
      if (inode === 0 || to === undefined || !pairs.has(`${remotePort} ${localPort}`)) continue
      if (only !== undefined && to !== only) continue
      ends.set(to, [...(ends.get(to) ?? []), inode])
    }
    this.#identify(new Set([...ends.values()].flat()), only !== undefined)
    return ends
  }

  /** Descriptors are looked through for connections that are new, and only then. */
  #identify(inodes: ReadonlySet<number>, keep: boolean): void {
    const known = new Map([...this.#clients].filter(([inode]) => keep || inodes.has(inode)))
    const unknown = new Set([...inodes].filter((inode) => !known.has(inode)))
    const groups: Groups = new Map()
    for (const { unit } of this.#members()) {
      for (const [generation, group] of unit.leaders) groups.set(group, { id: unit.id, generation })
    }
    const own = new Set([process.pid, this.#context.holder.holderPid])
    for (const [inode, client] of unlessShort(() => clientsOf(unknown, groups, own), new Map()))
      known.set(inode, client)
    this.#clients = known
  }

  #seen(from: string, to: string, open: number): void {
    const lastAt = new Date(this.#context.now()).toISOString()
    this.#change({ from, to, open, lastAt })
  }

  #change(edge: Edge): void {
    const key = `${edge.from} ${edge.to}`
    const before = this.#edges.get(key)
    // The newest is the last one; the oldest goes.
    this.#edges.delete(key)
    this.#edges.set(key, edge)
    const [oldest] = this.#edges.keys()
    if (this.#edges.size > MOST_EDGES && oldest !== undefined) this.#edges.delete(oldest)
    // When it was last seen changes with each look, and is no news by itself.
    if (before?.open !== edge.open) this.#context.publish({ type: 'edge', project: projectOf(edge.to), edge })
  }

  #tell(wake: Wake): void {
    const project = projectOf(wake.service)
    const service = wake.service.slice(project.length + 1)
    this.#context.publish({ type: 'wake', project, service, generation: wake.generation, wake })
  }
}

const projectOf = (id: string): string => id.slice(0, id.indexOf('/'))
