import type { ProjectStatus, ServiceStatus, SwapReceipt } from '../../proxy/protocol.ts'
import type { StreamItem } from '../events.ts'
import { formatDuration } from '../print/units.ts'
import { LogFeed, type ReadLog } from './log-feed.ts'
import { LogWindow, OWN_LABEL } from './log-window.ts'

/** Something that happened to a service while the screen was there. */
export interface Happening {
  /** ISO 8601 */
  at: string
  text: string
}

/** A question that one key answers. */
export interface Prompt {
  question: string
  choices: Choice[]
  /** Null: Escape. */
  answer(key: string | null): void
}

export interface Choice {
  key: string
  /** With the key in brackets: `[k]ill`. */
  label: string
}

/** What the screen shows beside the log; a new object for each change. */
export interface ProjectView {
  project: ProjectStatus
  /** False while the daemon is away. */
  isLive: boolean
  /** The project is being brought down. */
  isLeaving: boolean
  /** By the services' names, the newest last. */
  happenings: Record<string, Happening[]>
  /** Names of what is in a service's environment, where somebody looked. */
  variables: Record<string, string[]>
  prompt: Prompt | null
}

/** Changes of one turn or of a busy moment are one frame; a person cannot tell. */
const FRAME_MS = 40
const MOST_HAPPENINGS = 50

/** Takes events in as fast as they come. */
export class ProjectStore implements Disposable {
  readonly logs = new LogWindow()
  readonly #feed = new LogFeed(this.logs)
  readonly #read: ReadLog
  #view: ProjectView
  #next: ProjectView
  #timer: NodeJS.Timeout | null = null
  readonly #listeners = new Set<() => void>()

  /** @param read the newest lines of a service's files */
  constructor(project: ProjectStatus, read: ReadLog) {
    this.#read = read
    this.#view = { project, isLive: true, isLeaving: false, happenings: {}, variables: {}, prompt: null }
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
        const project = item.projects.find(({ id }) => id === this.#next.project.id) ?? this.#next.project
        void this.#feed.catchUp(
          project.services.map(({ name }) => name),
          this.#read,
        )
        for (const service of project.services) this.#onService(service, item.at)
        return this.#change({ isLive: true, project })
      }
      case 'project':
        return this.#change({ project: item.status })
      case 'service':
        return this.#onService(item.status, item.at)
      case 'swap':
        this.note(`${item.service} swapped · ${formatReceipt(item.receipt)}`)
        return this.#happened(item.service, { at: item.at, text: `swap · ${formatReceipt(item.receipt)}` })
      case 'logs':
        return this.#feed.push(item)
      case 'notice':
        return this.note(item.message)
    }
  }

  /** A line of devsock's own in the log. */
  note(text: string): void {
    for (const line of text.split('\n')) this.logs.push(OWN_LABEL, line)
  }

  /** One of the choices' keys; null where Escape was pressed, or another question came. */
  ask(question: string, choices: Choice[]): Promise<string | null> {
    this.#next.prompt?.answer(null)
    return new Promise((resolve) => {
      const answer = (key: string | null): void => {
        if (this.#next.prompt?.answer === answer) this.#change({ prompt: null })
        resolve(key)
      }
      this.#change({ prompt: { question, choices, answer } })
    })
  }

  onVariables(service: string, names: string[]): void {
    this.#change({ variables: { ...this.#next.variables, [service]: names } })
  }

  onLeaving(): void {
    this.#change({ isLeaving: true })
  }

  [Symbol.dispose](): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }

  #onService(status: ServiceStatus, at: string): void {
    const before = this.#next.project.services.find(({ id }) => id === status.id)
    if (before?.state !== status.state || before.generation !== status.generation) {
      const generation = status.generation > 0 ? ` · generation ${status.generation}` : ''
      const text = `${status.state}${generation} · ${status.reason.message}`
      this.#happened(status.name, { at, text })
      // What a connection started is news; a swap has a receipt of its own.
      if (status.state === 'ready' && before?.state === 'starting') this.note(`${status.name} ${text}`)
    }
    this.#change({ project: replaceService(this.#next.project, status) })
  }

  #happened(service: string, happening: Happening): void {
    const before = this.#next.happenings[service] ?? []
    const happenings = { ...this.#next.happenings, [service]: [...before, happening].slice(-MOST_HAPPENINGS) }
    this.#change({ happenings })
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

/** `generation 4 · src/api.js · 48 ms · 3 queued · 0 cut` */
export function formatReceipt({ to, cause, ms, queued, moved, cut }: SwapReceipt): string {
  const counts = [queued > 0 && `${queued} queued`, moved > 0 && `${moved} moved`, `${cut} cut`]
  return [`generation ${to}`, cause, formatDuration(ms), ...counts].filter(Boolean).join(' · ')
}

/** A service that came with a new configuration goes to the end. */
function replaceService(project: ProjectStatus, status: ServiceStatus): ProjectStatus {
  const isKnown = project.services.some(({ id }) => id === status.id)
  const services = isKnown
    ? project.services.map((each) => (each.id === status.id ? status : each))
    : [...project.services, status]
  return { ...project, services }
}
