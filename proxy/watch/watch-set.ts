import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { fileWatches, type WatchFile } from './file-watches.ts'
import { isGitWriting } from './git-lock.ts'
import { Globs, shown } from './globs.ts'
import { IgnoreRules } from './ignore-rules.ts'
import { Settle } from './settle.ts'
import { type FileState, Tree } from './tree.ts'

/** One save, or one burst of them. */
export interface Change {
  /** The first file, relative to the root. */
  path: string
  /** Files that changed in this burst. */
  count: number
}

export interface WatchOptions {
  /** Absolute; globs are relative to it. */
  root: string
  globs: readonly string[]
  /** A file is another than it was, and may not be complete; once for each `onChange`, which follows in any case. */
  onSaving?(path: string): void
  onChange(change: Change): void
  /** Ms since the epoch: what was saved after that, while nobody watched, is a change. Without it nothing is. */
  since?: number
  /** What a person should know: each is said once. */
  onProblem(message: string): void
  /** Shared by those who watch much; else one of its own. */
  watch?: WatchFile
}

/** Milliseconds between two comparisons where nobody tells of changes. */
const POLL_MS = 1_000
/** The kernel's queue holds 16,384 events (max_queued_events), and fs.watch does not say when it ran over. */
const OVERFLOW = 8_192
/** Milliseconds that a walk may keep the event loop. */
const SLICE_MS = 4

/** Watches a service's files. {@link WatchSet.watching} resolves when every later save is noticed. */
export function watchService(options: WatchOptions): WatchSet {
  return new WatchSet(options)
}

export class WatchSet implements Disposable {
  /** Resolves when all folders are watched: a save after that is told, one before it is not a change. */
  readonly watching: Promise<void>
  readonly #options: WatchOptions
  readonly #tree: Tree
  readonly #settle: Settle
  /** Signatures of the files that have been told, or were there from the beginning. */
  readonly #known = new Map<string, string>()
  /** Touched while the first walk went on, when there was nothing yet to compare with; null after it. */
  #early: Set<string> | null = new Set()
  #settled: (() => void)[] = []
  /** Told by `onSaving`, and not yet by `onChange`. */
  #saving: string | null = null
  #poll: NodeJS.Timeout | undefined
  #later: NodeJS.Timeout | undefined
  #events = 0
  #lastSweep: Promise<unknown> = Promise.resolve()
  #sweepAhead = false
  #closed = false

  constructor(options: WatchOptions) {
    this.#options = options
    const globs = new Globs(options.root, options.globs)
    const rules = new IgnoreRules(options.root, globs)
    const events = {
      onTouched: (path: string, complete: boolean) => this.#touched(path, complete),
      onLost: () => this.#sweepSoon(),
      onExhausted: (error: NodeJS.ErrnoException) => this.#exhausted(error),
    }
    this.#tree = new Tree(options.root, globs, rules, events, options.watch ?? fileWatches())
    const { repository } = rules
    this.#settle = new Settle(
      (path) => this.#isComplete(path),
      () => repository !== null && isGitWriting(repository),
      (paths) => this.#compare(paths),
    )
    this.watching = this.#begin()
  }

  /** Absolute; what is told of. */
  get files(): string[] {
    return [...this.#known.keys()]
  }

  /**
   * Finds what was saved before the call and no event has told yet, and tells it by onChange before it resolves:
   * its paths, relative to the root, are for print, not to be acted on a second time.
   */
  async sweep(): Promise<string[]> {
    await this.watching
    // One that is under way may have passed the file already: so another one after it.
    const sweep = this.#lastSweep.then(() => this.#sweep())
    this.#lastSweep = sweep.catch(() => undefined)
    return sweep
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#later)
    this.#settle.close()
    this.#tree.close()
    this.#release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #begin(): Promise<void> {
    for (let told = false; !this.#closed; told = true) {
      try {
        await inSlices(this.#tree.walk(), ([path, { signature, changedAt }]) => {
          if (changedAt > (this.#options.since ?? Number.POSITIVE_INFINITY)) this.#early?.add(path)
          else this.#known.set(path, signature)
        })
        break
      } catch (error) {
        const { code, path } = error as NodeJS.ErrnoException
        if (code === undefined) throw error
        if (!told)
          this.#options.onProblem(
            `cannot list ${path ?? 'a watched folder'} (${code}); trying again every second`,
          )
        await delay(POLL_MS, undefined, { ref: false })
      }
    }
    const early = this.#early ?? []
    this.#early = null
    for (const path of early) this.#touched(path, false)
    this.#awaitTops()
  }

  #touched(path: string, complete: boolean): void {
    if (this.#closed) return
    if (this.#early) {
      this.#early.add(path)
      return
    }
    if (++this.#events === OVERFLOW) this.#sweepSoon()
    if (this.#saving === null && this.#isAnother(path)) {
      this.#saving = path
      this.#options.onSaving?.(shown(this.#options.root, path))
    }
    this.#settle.touch(path, complete)
  }

  /** A file that nobody knew yet may still go again, as temporary ones do. */
  #isAnother(path: string): boolean {
    const known = this.#known.get(path)
    return known !== undefined && known !== this.#tree.stateOf(path)?.signature
  }

  /** An editor that truncates and writes, or deletes and creates, is not done while there is nothing. */
  #isComplete(path: string): boolean {
    const state = this.#tree.stateOf(path)
    return state === null ? !this.#known.has(path) : !state.empty || state.signature === this.#known.get(path)
  }

  #compare(paths: readonly string[]): void {
    this.#events = 0
    const changed = paths.filter((path) => this.#accept(path))
    const first = changed[0] ?? this.#saving
    this.#saving = null
    if (first !== null) {
      this.#options.onChange({ path: shown(this.#options.root, first), count: Math.max(1, changed.length) })
    }
    this.#release()
  }

  /** Whether a file is another than was told; from now on it is told. */
  #accept(path: string): boolean {
    const signature = this.#tree.stateOf(path)?.signature
    if (signature === this.#known.get(path)) return false
    if (signature === undefined) this.#known.delete(path)
    else this.#known.set(path, signature)
    this.#tree.renew(path)
    return true
  }

  async #sweep(): Promise<string[]> {
    const found = await this.#differences(this.#known)
    for (const path of found) this.#touched(path, false)
    while (this.#settle.pending > 0 && !this.#closed) {
      await new Promise<void>((resolve) => this.#settled.push(resolve))
    }
    return found.map((path) => shown(this.#options.root, path))
  }

  #awaitTops(): void {
    if (!this.#closed && !this.#tree.isWhole && !this.#poll) this.#sweepLater()
  }

  #sweepLater(): void {
    this.#later ??= setTimeout(() => {
      this.#later = undefined
      this.#sweepSoon()
    }, POLL_MS).unref()
  }

  #release(): void {
    for (const resolve of this.#settled.splice(0)) resolve()
  }

  /** For what told that something happened but not what; many of those are one sweep. */
  #sweepSoon(): void {
    if (this.#closed || this.#sweepAhead) return
    this.#sweepAhead = true
    const sweep = this.#lastSweep.then(() => {
      this.#sweepAhead = false
      return this.sweep()
    })
    sweep.then(
      () => this.#awaitTops(),
      (error: NodeJS.ErrnoException) => {
        if (error.code === undefined) throw error
        this.#sweepLater()
      },
    )
  }

  async #differences(since: ReadonlyMap<string, string>): Promise<string[]> {
    const present = new Map<string, FileState>()
    await inSlices(this.#tree.walk(), ([path, state]) => present.set(path, state))
    if (this.#closed) return []
    const changed = [...present].filter(([path, { signature }]) => since.get(path) !== signature)
    // What is in no listing may have been ignored since, and be what it was.
    const gone = [...since].filter(([path, signature]) => {
      return !present.has(path) && this.#tree.stateOf(path)?.signature !== signature
    })
    return [...changed, ...gone].map(([path]) => path)
  }

  #exhausted(error: NodeJS.ErrnoException): void {
    if (this.#poll || this.#closed) return
    this.#poll = setInterval(() => this.#sweepSoon(), POLL_MS).unref()
    const [limit, value] =
      error.code === 'EMFILE' ? ['max_user_instances', 1024] : ['max_user_watches', 524288]
    this.#options.onProblem(
      `the kernel watches no more files for this user (fs.inotify.${limit}); changes are looked for once a second instead. ` +
        `Raise it: sudo sysctl fs.inotify.${limit}=${value} (and in /etc/sysctl.d/ to keep it)`,
    )
  }
}

/** Runs a walk to its end and lets others run every few milliseconds. */
async function inSlices<T>(walk: Generator<T, void, undefined>, each: (value: T) => void): Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS
  for (const value of walk) {
    each(value)
    if (performance.now() < sliceEnd) continue
    await setImmediate()
    sliceEnd = performance.now() + SLICE_MS
  }
}
