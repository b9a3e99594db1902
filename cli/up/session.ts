import {
  type DevsockEvent,
  EXIT,
  ok,
  type Result,
  type Subscription,
  type UpRequest,
} from '../../proxy/protocol.ts'
import type { Client, DownReply } from '../client.ts'
import { followEvents, type StreamItem } from '../events.ts'

/** How a foreground `up` ended: the exit code, and what `down` did where it brought the project down. */
export interface SessionEnd {
  exit: number
  down: DownReply | null
  /** It was asked to leave it up. */
  detached?: true
}

/**
 * One `devsock up` in the foreground. The one that started the project holds its lease, and leaving brings
 * the project down; one that only attached leaves it as it is.
 */
export class Session implements Disposable {
  readonly project: string
  readonly isLeased: boolean
  /** Resolves once, when it is over. */
  readonly ended: Promise<Result<SessionEnd>>
  readonly #client: Client
  readonly #request: UpRequest
  readonly #stop = new AbortController()
  readonly #resolve: (end: Result<SessionEnd>) => void
  #leaving = false

  constructor(client: Client, project: string, isLeased: boolean, request: UpRequest) {
    this.#client = client
    this.project = project
    this.isLeased = isLeased
    this.#request = request
    const { promise, resolve } = withResolvers<Result<SessionEnd>>()
    this.ended = promise
    this.#resolve = resolve
  }

  /** Events until the session is over. */
  async *items(logs: Subscription['logs']): AsyncGenerator<StreamItem> {
    const lease = this.isLeased ? this.project : null
    const subscription = { projects: [this.project], logs, lease }
    for await (const item of followEvents(this.#client.folders, subscription, this.#stop.signal)) {
      yield item
      if (!this.#leaving && isGone(item, this.project)) break
    }
    // Somebody else took it down, or the daemon has gone; when it is us, leave() says how it went.
    if (!this.#leaving) this.#end(ok({ exit: EXIT.ok, down: null }))
  }

  /** Ctrl-C, a signal, `q`. Brings a leased project down; asked a second time, at once. */
  async leave(exit: number): Promise<void> {
    const again = this.#leaving
    this.#leaving = true
    if (!this.isLeased) return this.#end(ok({ exit, down: null }))
    const down = await this.#client.down(this.project, again)
    // A project that is gone already is what was wanted.
    const gone = !down.ok && (down.failure.code === 'unknown-project' || down.failure.code === 'not-up')
    this.#end(down.ok || gone ? ok({ exit, down: down.ok ? down.value : null }) : down)
  }

  /** Leaves the project up without this terminal: the daemon lets go of the lease first. */
  async detach(): Promise<Result<null>> {
    if (this.isLeased) {
      const kept = await this.#client.up({ ...this.#request, detached: true })
      if (!kept.ok) return kept
    }
    this.#leaving = true
    this.#end(ok({ exit: EXIT.ok, down: null, detached: true }))
    return ok(null)
  }

  /** Brings up a service whose port somebody else has: on another one, or as theirs. */
  settle(service: string, conflicts: 'auto' | 'use'): Promise<Result<unknown>> {
    return this.#client.up({ ...this.#request, services: [service], conflicts })
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  #end(end: Result<SessionEnd>): void {
    this.#resolve(end)
    this.#stop.abort()
  }
}

/** Of one's own project; a snapshot after a lost stream may be the first to tell. */
function isGone(item: StreamItem, project: string): boolean {
  if (item.type === 'project-gone') return item.project === project
  return item.type === 'snapshot' && !(item as SnapshotEvent).projects.some(({ id }) => id === project)
}

type SnapshotEvent = Extract<DevsockEvent, { type: 'snapshot' }>

/** Promise.withResolvers is in Node from 22. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
