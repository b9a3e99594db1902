import {
  API_VERSION,
  type DaemonStatus,
  type DevsockEvent,
  type Edge,
  type LogBatch,
  type ProjectStatus,
  type Subscription,
  type Wake,
} from '../protocol.ts'
import type { News } from '../services/context.ts'

/** Where a subscriber's events go. */
export interface Listener {
  readonly wants: Subscription
  tell(event: DevsockEvent): void
}

export interface Snapshot {
  daemon: DaemonStatus
  projects: ProjectStatus[]
  edges: Edge[]
  wakes: Wake[]
}

/** Numbers and dates what happens, and tells it to whoever listens. */
export class Hub {
  readonly #listeners = new Set<Listener>()
  readonly #snapshot: () => Snapshot
  readonly #onListeners: (hub: Hub) => void
  #seq = 0

  /** `onListeners` is called whenever somebody came or went. */
  constructor(snapshot: () => Snapshot, onListeners: (hub: Hub) => void) {
    this.#snapshot = snapshot
    this.#onListeners = onListeners
  }

  get size(): number {
    return this.#listeners.size
  }

  /** What the most demanding of them wants of logs. */
  get hearing(): Subscription['logs'] {
    const wanted = [...this.#listeners].map(({ wants }) => wants.logs)
    return wanted.includes(true) || (wanted.includes('screen') && 'screen')
  }

  publish(news: News): void {
    const isSplit = news.type === 'logs' && this.hearing === true
    if (isSplit) this.#publishLines(news)
    // The batch is the same lines once more: whoever hears those misses no number.
    const event = isSplit ? this.#event(news, this.#seq) : this.#event(news)
    for (const listener of this.#listeners) if (isWanted(listener.wants, event)) listener.tell(event)
  }

  #publishLines({ project, service, generation, lines }: LogBatch): void {
    for (const text of lines) this.publish({ type: 'log', project, service, generation, text })
  }

  /** The snapshot goes out first, and nothing can happen between it and the events: it is one synchronous step. */
  subscribe(listener: Listener): Disposable {
    const { daemon, ...all } = this.#snapshot()
    const { projects: ids } = listener.wants
    const isOf = (id: string): boolean => ids.length === 0 || ids.includes(id.slice(0, id.indexOf('/')))
    const projects = all.projects.filter(({ id }) => isOf(`${id}/`))
    const edges = all.edges.filter(({ to }) => isOf(to))
    const wakes = all.wakes.filter(({ service }) => isOf(service))
    listener.tell(this.#event({ type: 'snapshot', daemon, projects, edges, wakes }))
    this.#listeners.add(listener)
    this.#onListeners(this)
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(listener)) this.#onListeners(this)
      },
    }
  }

  #event(news: News, seq = this.#seq + 1): DevsockEvent {
    this.#seq = seq
    return { v: API_VERSION, seq, at: new Date().toISOString(), ...news } as DevsockEvent
  }
}

function isWanted({ projects, logs }: Subscription, event: DevsockEvent): boolean {
  if (event.type === 'log' && logs !== true) return false
  if (event.type === 'logs' && logs !== 'screen') return false
  if (projects.length === 0 || !('project' in event) || event.project === null) return true
  return projects.includes(event.project)
}
