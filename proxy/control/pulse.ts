import type { ServiceStatus } from '../protocol.ts'
import { Census } from '../services/census.ts'
import type { Context } from '../services/context.ts'
import type { Graph } from '../services/graph.ts'
import type { Projects } from '../services/projects.ts'
import type { Unit } from '../services/unit.ts'
import type { Hub } from './hub.ts'

/** How often what the kernel alone knows (connections, memory) is looked at, while somebody watches. */
const BEAT_MS = 1_000

/** Tells what services are: at once when one changes, and each second what was measured. */
export class Pulse implements Disposable {
  readonly #context: Context
  readonly #projects: Projects
  readonly #graph: Graph
  readonly #changed = new Set<Unit>()
  readonly #told = new Map<string, string>()
  #turn: NodeJS.Immediate | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(context: Context, projects: Projects, graph: Graph) {
    this.#context = context
    this.#projects = projects
    this.#graph = graph
  }

  /** Somebody came or went. */
  heed(hub: Hub): void {
    this.#projects.hear(hub.hearing)
    clearInterval(this.#timer)
    this.#told.clear()
    if (hub.size > 0) this.#timer = setInterval(() => this.#beat(hub), BEAT_MS).unref()
  }

  /** Several changes of one turn are told once. */
  changed(unit: Unit, hub: Hub): void {
    this.#changed.add(unit)
    this.#turn ??= setImmediate(() => {
      this.#turn = null
      const units = [...this.#changed]
      this.#changed.clear()
      for (const each of units) {
        const member = this.#projects.member(each.project, each.name)
        member?.logging.sync()
        if (member) this.#graph.settle(member)
        this.#projects.get(each.project)?.changed()
      }
      if (hub.size === 0) return
      const census = new Census(this.#context)
      for (const each of units) {
        const status = this.#projects.member(each.project, each.name)?.status(census)
        if (status) this.#tell(hub, each.project, status)
      }
    })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    if (this.#turn) clearImmediate(this.#turn)
  }

  #beat(hub: Hub): void {
    const census = new Census(this.#context)
    this.#graph.look(census.connections)
    for (const project of this.#projects) {
      for (const member of project.members.values()) this.#tell(hub, project.id, member.status(census))
    }
  }

  #tell(hub: Hub, project: string, status: ServiceStatus): void {
    // When it was last connected changes with each look at an open connection, and is no news by itself.
    const text = JSON.stringify({ ...status, lastConnectionAt: null })
    if (this.#told.get(status.id) === text) return
    this.#told.set(status.id, text)
    hub.publish({ type: 'service', project, service: status.name, generation: status.generation, status })
  }
}
