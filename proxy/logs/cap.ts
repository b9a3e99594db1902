import { statfs } from 'node:fs/promises'
import { punchHole, type SystemError } from '../../native/index.ts'
import type { IndexWriter } from './log-index.ts'

const MiB = 1024 * 1024

export interface CapOptions {
  /** Bytes of a log that are kept at least. Default 16 MiB. */
  keep?: number
  /** Bytes it may exceed that by before the next hole. Default 4 MiB. */
  step?: number
  /** Something a person should know; each is said once. */
  onProblem?: (message: string) => void
  /** Free and total bytes of the disk that a file is on; a test's own. */
  diskSpace?: (path: string) => Promise<{ free: number; total: number }>
  /** The system call; a test's own. */
  punch?: typeof punchHole
}

/** On a disk this full a server's own console.log may fail, and take the server with it. */
const TIGHT_BYTES = 64 * MiB
const TIGHT_SHARE = 0.01
const TIGHT_KEEP = MiB
/** Milliseconds between two questions for the disk's free space. */
const ASK_MS = 1_000
/** fallocate(2) frees whole blocks; a larger block of some file system only frees a little later. */
const BLOCK = 4096

/**
 * Bounds a log on disk while a server writes to it, without the server's help and without losing a line that is
 * kept: the file's beginning becomes a hole (FALLOC_FL_PUNCH_HOLE), its length and the offsets stay.
 */
export class Cap {
  readonly #path: string
  readonly #fd: number
  readonly #index: IndexWriter
  readonly #options: Required<CapOptions>
  #tight = false
  #warned = false
  #supported = true
  #askedAt = Number.NEGATIVE_INFINITY

  /** @param fd the log, open for writing; the caller's */
  constructor(path: string, fd: number, index: IndexWriter, options: CapOptions) {
    this.#path = path
    this.#fd = fd
    this.#index = index
    this.#options = {
      keep: 16 * MiB,
      step: 4 * MiB,
      onProblem: () => {},
      diskSpace,
      punch: punchHole,
      ...options,
    }
  }

  /** To be called when the log has grown to `size` bytes. */
  grown(size: number): void {
    if (!this.#supported) return
    if (performance.now() - this.#askedAt > ASK_MS) void this.#ask()
    const keep = this.#tight ? Math.min(TIGHT_KEEP, this.#options.keep) : this.#options.keep
    const step = this.#tight ? Math.min(TIGHT_KEEP, this.#options.step) : this.#options.step
    if (size - this.#index.punched >= keep + step) this.#punch(size - keep)
  }

  #punch(to: number): void {
    const before = this.#index.punched
    const cut = to - (to % BLOCK)
    this.#index.setPunched(cut)
    try {
      this.#options.punch(this.#fd, 0, cut)
      this.#index.trim()
    } catch (error) {
      this.#index.setPunched(before)
      if ((error as SystemError).code !== 'EOPNOTSUPP') throw error
      this.#supported = false
      this.#options.onProblem(
        `${this.#path} is on a file system that cannot punch holes: this log grows until its service restarts`,
      )
    }
  }

  async #ask(): Promise<void> {
    this.#askedAt = performance.now()
    const { free, total } = await this.#options.diskSpace(this.#path)
    this.#tight = free < TIGHT_BYTES || free < total * TIGHT_SHARE
    if (!this.#tight || this.#warned) return
    this.#warned = true
    this.#options.onProblem(
      `the disk of ${this.#path} is nearly full (${Math.floor(free / MiB)} MiB free): logs keep their last ${TIGHT_KEEP / MiB} MiB; make room`,
    )
  }
}

async function diskSpace(path: string): Promise<{ free: number; total: number }> {
  try {
    const { bavail, blocks, bsize } = await statfs(path)
    return { free: bavail * bsize, total: blocks * bsize }
  } catch (error) {
    // Somebody has deleted the log that is written to: nothing is known, and nothing has to be done.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { free: Number.MAX_SAFE_INTEGER, total: 1 }
    throw error
  }
}
