import type { Edge, ServiceStatus, Wake } from '../../proxy/protocol.ts'

/** What stands in the graph: a service, or a program that is none (its id has no slash). */
export interface Node {
  id: string
  service: ServiceStatus | null
}

/** A line of it: whoever woke a service is known to have connected to it. */
export interface Connection {
  from: string
  to: string
  open: number
  /** ISO; when it was last seen. */
  lastAt: string
}

export interface Graph {
  nodes: Node[]
  connections: Connection[]
  /** Services that nobody was seen to connect to, and that connect to none. */
  alone: ServiceStatus[]
}

export const isProgram = (id: string): boolean => !id.includes('/')

/** Whoever connects, and to whom, of the services that are up. */
export function graphOf(
  services: readonly ServiceStatus[],
  edges: readonly Edge[],
  wakes: readonly Wake[],
): Graph {
  const up = new Map(services.map((service) => [service.id, service]))
  const connections = new Map<string, Connection>()
  const add = (connection: Connection): void => {
    const { from, to } = connection
    if (up.has(to) && (isProgram(from) || up.has(from))) connections.set(`${from} ${to}`, connection)
  }
  for (const { service, from, at } of wakes)
    if (from !== null) add({ from, to: service, open: 0, lastAt: at })
  for (const edge of edges) add(edge)
  const lines = [...connections.values()]
  const met = new Set(lines.flatMap(({ from, to }) => [from, to]))
  const programs = [...met].filter(isProgram).map((id) => ({ id, service: null }))
  const connected = services.filter(({ id }) => met.has(id)).map((service) => ({ id: service.id, service }))
  return {
    nodes: [...programs, ...connected],
    connections: lines,
    alone: services.filter(({ id }) => !met.has(id)),
  }
}

/** A request that started one server, and through it others. */
export interface Cascade {
  key: string
  /** Who made it; null: nobody knows. */
  from: string | null
  at: string
  steps: Step[]
  /** Milliseconds from the first process to the last one ready. */
  ms: number
}

export interface Step {
  wake: Wake
  /** 0: woken from outside. */
  depth: number
  /** Milliseconds after the first of the cascade. */
  after: number
}

/** A generation that has served for longer than this when it wakes another is not still starting it up. */
const SAME_REQUEST_MS = 5_000

/** Wakes by what began them, the newest first. */
export function cascadesOf(wakes: readonly Wake[]): Cascade[] {
  const children = new Map<Wake, Wake[]>()
  const roots: Wake[] = []
  for (const wake of wakes) {
    const parent = wakes.findLast((other) => isCause(other, wake))
    if (parent === undefined) roots.push(wake)
    else children.set(parent, [...(children.get(parent) ?? []), wake])
  }
  return roots.map((root) => cascade(root, children)).toSorted((a, b) => b.at.localeCompare(a.at))
}

function isCause(other: Wake, wake: Wake): boolean {
  if (other.service !== wake.from || other.generation !== wake.fromGeneration) return false
  const between = Date.parse(wake.at) - Date.parse(other.at)
  return between >= 0 && between < SAME_REQUEST_MS + (other.ms ?? 0)
}

function cascade(root: Wake, children: ReadonlyMap<Wake, Wake[]>): Cascade {
  const steps: Step[] = []
  const visit = (wake: Wake, depth: number): void => {
    steps.push({ wake, depth, after: Date.parse(wake.at) - Date.parse(root.at) })
    for (const child of children.get(wake) ?? []) visit(child, depth + 1)
  }
  visit(root, 0)
  const ms = Math.max(...steps.map(({ after, wake }) => after + (wake.ms ?? 0)))
  return { key: `${root.service} ${root.generation} ${root.at}`, from: root.from, at: root.at, steps, ms }
}
