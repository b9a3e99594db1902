/** Milliseconds without an event after which what was written counts as complete. */
const QUIET_MS = 15
/** How long one file may go on changing, be empty or be away before it counts as it is. */
const PATIENCE_MS = 150
/** A checkout touches one file after the other: one burst, as long as new ones come. */
const BURST_MS = 1_000
/** Between two looks at a file of which no event tells that it is complete. */
const LOOK_MS = 10

/**
 * Collects the paths that events name and lets go of them together, when they have been quiet.
 *
 * ```
 *          touch                15 ms quiet
 *  empty ────────► gathering ───────────────► complete? ──► onSettled(paths) ──► empty
 *                    ▲  │ touch                   │ no: empty or away, and patience left
 *                    └──┘                         └──► look again in 10 ms
 * ```
 * Patience (150 ms) begins anew with each path that was not among them, up to a second in all.
 */
export class Settle implements Disposable {
  readonly #isComplete: (path: string) => boolean
  readonly #onSettled: (paths: string[], began: number) => void
  readonly #paths = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  /** ms since the epoch, for people; deadlines are monotonic. */
  #began = 0
  #end = 0
  #deadline = 0

  constructor(isComplete: (path: string) => boolean, onSettled: (paths: string[], began: number) => void) {
    this.#isComplete = isComplete
    this.#onSettled = onSettled
  }

  get pending(): number {
    return this.#paths.size
  }

  touch(path: string): void {
    const now = performance.now()
    if (this.#paths.size === 0) {
      this.#began = Date.now()
      this.#end = now + BURST_MS
    }
    if (!this.#paths.has(path)) {
      this.#paths.add(path)
      this.#deadline = Math.min(this.#end, now + PATIENCE_MS)
    }
    this.#wait(QUIET_MS, now)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#paths.clear()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #wait(ms: number, now: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#settle(), Math.max(0, Math.min(ms, this.#deadline - now)))
  }

  #settle(): void {
    const now = performance.now()
    const paths = [...this.#paths]
    if (now < this.#deadline && !paths.every(this.#isComplete)) return this.#wait(LOOK_MS, now)
    this.#paths.clear()
    this.#onSettled(paths, this.#began)
  }
}
