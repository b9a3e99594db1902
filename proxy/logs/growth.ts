import { type FSWatcher, watch } from 'node:fs'

/** What one look at a file came to: `more` is left (look again at once), it `grew`, or nothing happened. */
export type Look = 'more' | 'grew' | 'quiet'

/** Milliseconds between two looks while the file grows. */
const BUSY_MS = 25
/** A file that has been quiet for this long is left to inotify again. */
const CALM_MS = 500
/** Without inotify (exhausted, or the file is not there yet), and against whatever else it may miss. */
const IDLE_MS = 1_000
const BLIND_MS = 100

/**
 * Calls `look` at once when the file at `path` begins to grow, every 25 ms while it does, and now and then.
 *
 * ```
 *          inotify or the slow timer              500 ms without growth
 *  idle ─────────────────────────────► busy ──────────────────────────► idle
 * ```
 * While busy there is no inotify watch: a server that writes 10,000 lines a second would wake us 10,000 times.
 */
export class Growth implements Disposable {
  readonly #path: string
  readonly #look: () => Look
  #watcher: FSWatcher | null = null
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #lastGrowth = 0
  #closed = false

  constructor(path: string, look: () => Look) {
    this.#path = path
    this.#look = look
    this.#idle()
  }

  /** Looks now; whoever knows that the file's writer has ended need not wait for the timer. */
  poke(): void {
    if (!this.#closed) this.#run()
  }

  close(): void {
    this.#closed = true
    this.#rest()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #idle(): void {
    this.#watcher = this.#watch()
    this.#timer = setTimeout(() => this.#run(), this.#watcher ? IDLE_MS : BLIND_MS).unref()
    // For what was written between the last look and the watch.
    if (this.#watcher) this.#immediate = setImmediate(() => this.#run())
  }

  #run(): void {
    const look = this.#look()
    if (this.#closed) return // by what look() told
    const now = performance.now()
    if (look !== 'quiet') {
      this.#lastGrowth = now
      this.#rest()
      if (look === 'more') this.#immediate = setImmediate(() => this.#run())
      else this.#timer = setTimeout(() => this.#run(), BUSY_MS).unref()
    } else if (now - this.#lastGrowth < CALM_MS) {
      this.#rest()
      this.#timer = setTimeout(() => this.#run(), BUSY_MS).unref()
    } else if (this.#watcher) {
      this.#timer?.refresh()
    } else {
      this.#rest()
      this.#idle()
    }
  }

  #rest(): void {
    this.#watcher?.close()
    this.#watcher = null
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  #watch(): FSWatcher | null {
    try {
      const watcher = watch(this.#path, { persistent: false }, () => this.#run())
      watcher.on('error', () => this.#run())
      return watcher
    } catch (error) {
      // ENOENT: the holder creates it with the generation. ENOSPC, EMFILE: inotify is exhausted, the timer serves.
      if ((error as NodeJS.ErrnoException).syscall !== 'watch') throw error
      return null
    }
  }
}
