import { watch } from 'node:fs'
import { type FileEvent, type FileEvents, fileEvents } from '../../native/index.ts'

export type WatchEvent = Pick<FileEvent, 'name' | 'complete' | 'cameOrWent' | 'ended'>

/**
 * Watches one folder, or one file. An event without a name is about what is watched itself, or says that nobody
 * knows what happened. Throws ENOSPC and EMFILE where the kernel watches no more.
 */
export type WatchFile = (path: string, onEvent: (event: WatchEvent) => void) => { close(): void }

export const fileWatches = (): WatchFile => {
  if (process.platform !== 'linux') return watchByNode
  const watches = new InotifyWatches()
  return (path, onEvent) => watches.watch(path, onEvent)
}

const UNKNOWN: WatchEvent = { name: null, complete: false, cameOrWent: false, ended: false }

/** Knows nothing of closing: no content is ever known to be complete. */
export const watchByNode: WatchFile = (path, onEvent) => {
  const watcher = watch(path, { persistent: false }, (event, name) => {
    onEvent({ ...UNKNOWN, name, cameOrWent: event === 'rename' })
  })
  return watcher.on('error', () => onEvent(UNKNOWN))
}

/** All watches of a daemon on one inotify instance, of which a user has 128; open while there is any. */
class InotifyWatches {
  /** More than one where services share a folder: the kernel has one watch for it. */
  readonly #listeners = new Map<number, Set<(event: WatchEvent) => void>>()
  #events: FileEvents | null = null

  watch(path: string, onEvent: (event: WatchEvent) => void): { close(): void } {
    this.#events ??= fileEvents((event) => this.#on(event))
    const number = this.#add(path)
    const listeners = this.#listeners.get(number) ?? new Set()
    this.#listeners.set(number, listeners)
    // Of one function two watches may be asked for.
    const listener = (event: WatchEvent): void => onEvent(event)
    listeners.add(listener)
    return {
      close: () => {
        if (!listeners.delete(listener) || listeners.size > 0 || this.#listeners.get(number) !== listeners)
          return
        this.#listeners.delete(number)
        this.#events?.remove(number)
        this.#closeUnused()
      },
    }
  }

  #add(path: string): number {
    try {
      return (this.#events as FileEvents).add(path)
    } catch (error) {
      this.#closeUnused()
      throw error
    }
  }

  #on(event: FileEvent): void {
    if (event.lost) {
      for (const listeners of [...this.#listeners.values()]) for (const tell of listeners) tell(UNKNOWN)
      return
    }
    const listeners = this.#listeners.get(event.watch)
    if (listeners === undefined) return
    if (event.ended) this.#listeners.delete(event.watch)
    for (const tell of listeners) tell(event)
    this.#closeUnused()
  }

  #closeUnused(): void {
    if (this.#listeners.size > 0) return
    this.#events?.close()
    this.#events = null
  }
}
