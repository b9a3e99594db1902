import {
  API_VERSION,
  type DaemonStatus,
  type DevsockEvent,
  type ProjectStatus,
  type Subscription,
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

  /** Whether anybody wants log lines. */
  get hearsLogs(): boolean {
    return [...this.#listeners].some(({ wants }) => wants.logs)
  }

  publish(news: News): void {
    const event = this.#event(news)
    for (const listener of this.#listeners) if (isWanted(listener.wants, event)) listener.tell(event)
  }

  /** The snapshot goes out first, and nothing can happen between it and the events: it is one synchronous step. */
  subscribe(listener: Listener): Disposable {
    const { daemon, projects } = this.#snapshot()
    const { projects: ids } = listener.wants
    const wanted = projects.filter(({ id }) => ids.length === 0 || ids.includes(id))
    listener.tell(this.#event({ type: 'snapshot', daemon, projects: wanted }))
    this.#listeners.add(listener)
    this.#onListeners(this)
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(listener)) this.#onListeners(this)
      },
    }
  }

  #event(news: News): DevsockEvent {
    this.#seq += 1
    return { v: API_VERSION, seq: this.#seq, at: new Date().toISOString(), ...news } as DevsockEvent
  }
}

function isWanted({ projects, logs }: Subscription, event: DevsockEvent): boolean {
  if (event.type === 'log' && !logs) return false
  if (projects.length === 0 || !('project' in event) || event.project === null) return true
  return projects.includes(event.project)
}
