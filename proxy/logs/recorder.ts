import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { Cap, type CapOptions } from './cap.ts'
import { Growth, type Look } from './growth.ts'
import { IndexWriter } from './log-index.ts'

/** Milliseconds between two pairs of the index: 16 bytes each, and nobody asks for a finer `--since`. */
const PAIR_MS = 100

/**
 * What the daemon does about the log of a generation that runs, and all it does: notes in the side index when the
 * log grew, and keeps it capped. It need not read it; while there is no daemon, only some times are coarser.
 */
export class Recorder implements Disposable {
  readonly #fd: number
  readonly #index: IndexWriter
  readonly #cap: Cap
  readonly #growth: Growth
  #size = 0
  #pending: { size: number; at: number } | null = null
  #lastPairAt = 0
  #closed = false

  constructor(logPath: string, indexPath: string, options: CapOptions) {
    // Created here if the holder has not done so yet, with the same mode.
    this.#fd = openSync(logPath, constants.O_RDWR | constants.O_CREAT, 0o600)
    this.#index = new IndexWriter(indexPath)
    this.#cap = new Cap(logPath, this.#fd, this.#index, options)
    const { size, mtimeMs } = fstatSync(this.#fd)
    // Written while no daemon ran: its last write is the best that is known.
    this.#index.append(size, mtimeMs)
    this.#size = size
    this.#growth = new Growth(logPath, () => this.#look())
  }

  /** Notes what has come until now, and lets go of the files. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#growth.close()
    this.#look()
    this.#flush()
    this.#index.close()
    closeSync(this.#fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #look(): Look {
    const { size } = fstatSync(this.#fd)
    const now = Date.now()
    const grew = size > this.#size
    if (grew) {
      this.#size = size
      this.#pending = { size, at: now }
    }
    if (this.#pending && now - this.#lastPairAt >= PAIR_MS) this.#flush()
    if (grew) this.#cap.grown(size)
    return grew || this.#pending ? 'grew' : 'quiet'
  }

  #flush(): void {
    if (!this.#pending) return
    this.#index.append(this.#pending.size, this.#pending.at)
    this.#lastPairAt = this.#pending.at
    this.#pending = null
  }
}
