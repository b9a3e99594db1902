/** What ends a process: a {@link ProcessHandle}, or a test's stand-in. */
export interface Endable {
  signal(signal: NodeJS.Signals): void
  exited(ms: number, abort?: AbortSignal): Promise<boolean>
}

export interface KillOptions {
  /** Milliseconds between SIGTERM and SIGKILL. */
  graceMs: number
  /** No SIGTERM, no grace: SIGKILL at once. */
  force: boolean
  /** Gives up waiting; what was sent is sent, nothing more follows. */
  signal?: AbortSignal
}

/** How it ended; `aborted` and `stuck`: it has not. */
export type Ending = 'SIGTERM' | 'SIGKILL' | 'aborted' | 'stuck'

/** A killed process that stays longer hangs in the kernel (a disk, a network file system). */
const STUCK_MS = 3_000

/**
 * ```
 *            SIGTERM                 grace over                SIGKILL
 *  (begin) ──────────► terminating ─────────────► (killing) ──────────► killed ── 3 s ──► stuck
 *     └── force ───────────┼──────────────────────────┘                   │
 *                          ├── exited ──► SIGTERM                         └── exited ──► SIGKILL
 *                          └── abort ───► aborted
 * ```
 */
export async function end(process: Endable, options: KillOptions): Promise<Ending> {
  if (options.signal?.aborted) return 'aborted'
  if (!options.force) {
    process.signal('SIGTERM')
    if (await process.exited(options.graceMs, options.signal)) return 'SIGTERM'
    if (options.signal?.aborted) return 'aborted'
  }
  process.signal('SIGKILL')
  return (await process.exited(STUCK_MS)) ? 'SIGKILL' : 'stuck'
}
