import type { ProjectStatus, ServiceStatus } from '../../proxy/protocol.ts'
import type { StreamItem } from '../events.ts'
import { formatDuration } from '../print/units.ts'
import { LogWindow } from './log-window.ts'

/** What the screen shows; a new object for each frame. */
export interface ProjectView {
  project: ProjectStatus
  logs: LogWindow
  /** False while the daemon is away. */
  isLive: boolean
  /** The project is being brought down. */
  isLeaving: boolean
}

/** As many frames a second as a person can tell apart, however much the services print. */
const FRAME_MS = 40
const OWN = 'devsock'

/** Takes events in as fast as they come, and shows them a frame at a time. */
export class ProjectStore implements Disposable {
  #view: ProjectView
  #next: ProjectView
  #timer: NodeJS.Timeout | null = null
  readonly #listeners = new Set<() => void>()

  constructor(project: ProjectStatus) {
    this.#view = { project, logs: new LogWindow(), isLive: true, isLeaving: false }
    this.#next = this.#view
  }

  /** For useSyncExternalStore. */
  readonly view = (): ProjectView => this.#view

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  push(item: StreamItem): void {
    switch (item.type) {
      case 'lost':
        this.note('the daemon went away; its holder starts it again, the servers go on')
        return this.#change({ isLive: false })
      case 'snapshot': {
        if (!this.#next.isLive) this.note('the daemon is back')
        const project = item.projects.find(({ id }) => id === this.#next.project.id)
        return this.#change({ isLive: true, project: project ?? this.#next.project })
      }
      case 'project':
        return this.#change({ project: item.status })
      case 'service':
        return this.#change({ project: replaceService(this.#next.project, item.status) })
      case 'swap': {
        const { to, cause, ms, cut } = item.receipt
        return this.note(
          `${item.service} swapped · generation ${to} · ${cause} · ${formatDuration(ms)} · ${cut} cut`,
        )
      }
      case 'log':
        this.#next.logs.push(item.service, item.text)
        return this.#change({})
      case 'notice':
        return this.note(item.message)
    }
  }

  /** A line of devsock's own in the log. */
  note(text: string): void {
    this.#next.logs.push(OWN, text)
    this.#change({})
  }

  onLeaving(): void {
    this.#change({ isLeaving: true })
  }

  [Symbol.dispose](): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }

  #change(change: Partial<ProjectView>): void {
    this.#next = { ...this.#next, ...change }
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#view = this.#next
      for (const listener of this.#listeners) listener()
    }, FRAME_MS)
  }
}

/** A service that came with a new configuration goes to the end. */
function replaceService(project: ProjectStatus, status: ServiceStatus): ProjectStatus {
  const isKnown = project.services.some(({ id }) => id === status.id)
  const services = isKnown
    ? project.services.map((each) => (each.id === status.id ? status : each))
    : [...project.services, status]
  return { ...project, services }
}
