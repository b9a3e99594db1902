import type { HolderEvent } from '../holder/event.ts'
import type { HolderLink } from '../holder/link.ts'

/** Turns the holder's events that somebody waits for into promises. */
export class Expectations {
  readonly #holder: HolderLink
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(holder: HolderLink) {
    this.#holder = holder
  }

  /** Resolves when that slot has a connection to accept. Rejects when the signal is aborted. */
  async readable(socket: string, lane: number, signal: AbortSignal): Promise<void> {
    const came = this.#wait(`readable ${socket} ${lane}`, signal)
    await Promise.all([came, this.#holder.watch(socket, lane)])
  }

  /** Resolves when READY=1 of that generation has come. Rejects when the signal is aborted. */
  notified(id: string, signal: AbortSignal): Promise<void> {
    return this.#wait(`ready ${id}`, signal)
  }

  /** Resolves when connections of that socket are parked, or one of them asks. Rejects when the signal is aborted. */
  parked(socket: string, signal: AbortSignal): Promise<void> {
    return this.#wait(`parked ${socket}`, signal)
  }

  on(event: HolderEvent): void {
    if (event.type === 'readable') this.#resolve(`readable ${event.socket} ${event.index}`)
    if (event.type === 'parked') this.#resolve(`parked ${event.socket}`)
    if (event.type === 'ready') this.#resolve(`ready ${event.id}`)
  }

  #resolve(key: string): void {
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    for (const resolve of waiting ?? []) resolve()
  }

  #wait(key: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const waiting = this.#waiting.get(key) ?? new Set()
      this.#waiting.set(key, waiting.add(resolve))
      signal.addEventListener('abort', () => {
        waiting.delete(resolve)
        if (waiting.size === 0) this.#waiting.delete(key)
        reject(signal.reason)
      })
    })
  }
}
