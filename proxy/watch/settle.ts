/** Milliseconds without an event after which what was written counts as complete. */
const QUIET_MS = 15
/** The same where the one file that was touched was closed by its writer: whether it is alone, is all that is open. */
const LONE_MS = 3
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
 *          touch             3 or 15 ms quiet
 *  empty ────────► gathering ───────────────► complete? ──► onSettled(paths) ──► empty
 *                    ▲  │ touch                   │ no: empty or away, and patience left; or busy
 *                    └──┘                         └──► look again in 10 ms
 * ```
 * Patience (150 ms) begins anew with each path that was not among them, up to a second in all. It does not count
 * while somebody is known to be `busy` with more of them.
 */
export class Settle implements Disposable {
  readonly #isComplete: (path: string) => boolean
  readonly #isBusy: () => boolean
  readonly #onSettled: (paths: string[]) => void
  readonly #paths = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #afterEvents: NodeJS.Immediate | undefined
  #end = 0
  #deadline = 0
  #wasBusy = false

  constructor(
    isComplete: (path: string) => boolean,
    isBusy: () => boolean,
    onSettled: (paths: string[]) => void,
  ) {
    this.#isComplete = isComplete
    this.#isBusy = isBusy
    this.#onSettled = onSettled
  }

  get pending(): number {
    return this.#paths.size
  }

  /** `complete`: whoever wrote it has closed it. */
  touch(path: string, complete: boolean): void {
    const now = performance.now()
    if (this.#paths.size === 0) this.#end = now + BURST_MS
    if (!this.#paths.has(path)) {
      this.#paths.add(path)
      this.#deadline = Math.min(this.#end, now + PATIENCE_MS)
    }
    const quiet = complete && this.#paths.size === 1 ? LONE_MS : QUIET_MS
    this.#wait(Math.min(quiet, this.#deadline - now))
  }

  close(): void {
    this.#cancel()
    this.#paths.clear()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #cancel(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#afterEvents)
  }

  #wait(ms: number): void {
    this.#cancel()
    this.#timer = setTimeout(
      () => {
        // Timers that are due come before events that have been waiting for as long.
        this.#afterEvents = setImmediate(() => this.#settle())
      },
      Math.max(0, ms),
    )
  }

  #settle(): void {
    const now = performance.now()
    if (this.#isBusy()) {
      this.#wasBusy = true
      return this.#wait(LOOK_MS)
    }
    if (this.#wasBusy) {
      // Of the last files there may be events to come.
      this.#wasBusy = false
      return this.#wait(LOOK_MS)
    }
    const paths = [...this.#paths]
    if (now < this.#deadline && !paths.every(this.#isComplete)) {
      return this.#wait(Math.min(LOOK_MS, this.#deadline - now))
    }
    this.#paths.clear()
    this.#onSettled(paths)
  }
}
