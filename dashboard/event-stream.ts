import type { DevsockEvent } from '../proxy/protocol.ts'

/** `away`: it was lost and is tried again; `refused`: the token is not the right one, and trying is of no use. */
export type Link = 'connecting' | 'live' | 'away' | 'refused'

/** As the daemon closes a stream whose token is wrong (proxy/control/events.ts). */
const NOT_TRUSTED = 4401

/** Milliseconds between tries. A holder has its daemon back within a second; later, somebody has to say `up`. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2_000

export interface EventStreamOptions {
  token: string
  onEvent(event: DevsockEvent): void
  onLink(link: Link): void
}

/** GET /v1/events, again and again: each connection begins with a snapshot, so nothing has to be caught up. */
export class EventStream implements Disposable {
  readonly #options: EventStreamOptions
  #socket: WebSocket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #wait = FIRST_RETRY_MS
  #closed = false

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#connect()
    // A tab that comes to the front, or a machine that wakes, does not wait for a throttled timer.
    document.addEventListener('visibilitychange', this.#retryNow)
    window.addEventListener('online', this.#retryNow)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearTimeout(this.#timer)
    document.removeEventListener('visibilitychange', this.#retryNow)
    window.removeEventListener('online', this.#retryNow)
    this.#socket?.close()
  }

  #retryNow = (): void => {
    if (this.#socket !== null || this.#closed || document.hidden) return
    clearTimeout(this.#timer)
    this.#connect()
  }

  #connect(): void {
    const { token, onEvent, onLink } = this.#options
    const socket = new WebSocket(`ws://${location.host}/v1/events`)
    this.#socket = socket
    socket.onopen = () => socket.send(JSON.stringify({ token, projects: [], logs: false, lease: null }))
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as DevsockEvent
      if (event.type === 'snapshot') {
        this.#wait = FIRST_RETRY_MS
        onLink('live')
      }
      onEvent(event)
    }
    socket.onclose = ({ code }) => {
      this.#socket = null
      if (this.#closed) return
      if (code === NOT_TRUSTED) {
        this.#closed = true
        return onLink('refused')
      }
      onLink('away')
      this.#timer = setTimeout(() => this.#connect(), this.#wait)
      this.#wait = Math.min(LAST_RETRY_MS, this.#wait * 2)
    }
  }
}
