import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { Growth, type Look } from './growth.ts'
import type { Line, RawLine } from './line.ts'
import { LineSplitter } from './line-splitter.ts'
import { IndexReader, punchedBytes } from './log-index.ts'

/** Bytes read before others get their turn. */
const CHUNK = 256 * 1024

/**
 * What a screen is read of a log that grows faster than anybody reads: bytes of one look (25 ms), and lines of those.
 * Ten thousand lines a second of 200 bytes each are told whole.
 */
const HASTY_BYTES = 64 * 1024
const HASTY_LINES = 1_000

/** `passed`: bytes before these lines that were left out. */
export type OnLines = (lines: Line[], passed: number) => void

/** Tells the lines of a log as they come. */
export class Follower implements Disposable {
  readonly #path: string
  readonly #indexPath: string
  /** Leave out what nobody could read on a screen. */
  hasty = false
  readonly #onLines: OnLines
  readonly #growth: Growth
  readonly #chunk = Buffer.allocUnsafe(CHUNK)
  #fd = -1
  #splitter: LineSplitter
  /** Times of what was there before we came; later lines are of now. */
  #past: IndexReader
  /** We begin somewhere inside of a line, whose rest is no line. */
  #inside = false
  /** Left out since lines were last told, in bytes. */
  #passed = 0
  #closed = false

  /** @param from an offset; undefined: the end of the file */
  constructor(path: string, indexPath: string, onLines: OnLines, from: number | undefined) {
    this.#path = path
    this.#indexPath = indexPath
    this.#onLines = onLines
    this.#past = IndexReader.load(indexPath)
    const size = this.#open() ? fstatSync(this.#fd).size : 0
    this.#splitter = new LineSplitter(from ?? size)
    this.#skipPunched()
    this.#growth = new Growth(path, () => this.#look())
  }

  /** Everything there is up to now, and the line that has no end yet: for a generation that has gone. */
  drain(): void {
    while (this.#look() === 'more');
    this.#tell(this.#splitter.flush())
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#growth.close()
    if (this.#fd !== -1) closeSync(this.#fd)
    this.#fd = -1
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #look(): Look {
    if (this.#closed || !this.#open()) return 'quiet'
    const { size } = fstatSync(this.#fd)
    const behind = size - this.#splitter.end
    if (behind <= 0) return 'quiet'
    if (this.hasty && behind > HASTY_BYTES) this.#skipTo(size - HASTY_BYTES)
    // Far behind, part of what we have not read may be punched by now: nobody could have read it any more.
    if (behind > CHUNK) this.#skipPunched()
    const read = readSync(this.#fd, this.#chunk, 0, CHUNK, this.#splitter.end)
    const lines = this.#splitter.push(this.#chunk.subarray(0, read))
    const rest = this.#inside ? lines.shift() : undefined
    if (rest !== undefined) {
      this.#inside = false
      this.#passed += (lines[0]?.offset ?? this.#splitter.offset) - rest.offset
    }
    this.#tell(lines)
    return read === CHUNK ? 'more' : 'grew'
  }

  #tell(lines: RawLine[]): void {
    if (lines.length === 0 || this.#closed) return
    const now = Date.now()
    const told = this.hasty ? lines.slice(-HASTY_LINES) : lines
    const passed = this.#passed + (told[0]?.offset ?? 0) - (lines[0]?.offset ?? 0)
    this.#passed = 0
    const timed = told.map(({ offset, text }) => ({ offset, text, at: this.#past.timeOf(offset) ?? now }))
    this.#onLines(timed, passed)
  }

  #skipPunched(): void {
    const punched = punchedBytes(this.#indexPath)
    if (punched > this.#splitter.end) this.#skipTo(punched)
  }

  #skipTo(offset: number): void {
    this.#passed += offset - this.#splitter.offset
    this.#splitter = new LineSplitter(offset)
    this.#inside = true
  }

  #open(): boolean {
    if (this.#fd !== -1) return true
    try {
      this.#fd = openSync(this.#path, 'r')
      return true
    } catch (error) {
      // The holder creates it with the generation; with no descriptor left (EMFILE) the next look may do better.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      return false
    }
  }
}
