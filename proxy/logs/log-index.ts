import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { punchHole } from '../../native/index.ts'

/**
 * The side file of a log: when each part of it was written, and where it begins since it was punched.
 *
 * ```
 * 0   magic 'dsindex1'
 * 8   double: bytes of the log that are punched; its first data is here
 * 16  double: position in this file of the first pair that still matters
 * 24  unused
 * 32  pairs of doubles, appended: size of the log, time (ms since the epoch) when it had grown to that
 * ```
 * All little-endian. A byte of the log was written between the times of the pairs around it.
 */
const MAGIC = Buffer.from('dsindex1')
const PUNCHED = 8
const FIRST = 16
const HEADER = 32
const PAIR = 16
const BLOCK = 4096

/** Appends to an index; one at a time for each log. On a full disk times get coarser, and nothing else happens. */
export class IndexWriter implements Disposable {
  #fd: number
  /** 0: not even the header is there. */
  #end = 0
  #punched = 0
  #first = HEADER
  #lastSize = 0

  constructor(path: string) {
    // Not O_APPEND: the header is written in place.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    const index = IndexReader.parse(this.#fd)
    if (!index) return
    this.#end = HEADER + Math.floor((fstatSync(this.#fd).size - HEADER) / PAIR) * PAIR
    this.#punched = index.punched
    this.#first = index.first
    this.#lastSize = index.lastSize
  }

  get punched(): number {
    return this.#punched
  }

  /** The log had grown to `size` bytes at `at`. */
  append(size: number, at: number): void {
    if (size <= this.#lastSize || !this.#begun()) return
    if (!this.#write(doubles(size, at), this.#end)) return
    this.#end += PAIR
    this.#lastSize = size
  }

  /** To be called before the hole is punched: so no reader takes it for data. */
  setPunched(bytes: number): void {
    this.#punched = bytes
    if (!this.#begun()) return
    const index = IndexReader.parse(this.#fd)
    if (index) this.#first = index.first + index.indexOf(bytes) * PAIR
    this.#write(doubles(bytes, this.#first), PUNCHED)
  }

  /** Gives back the disk blocks of pairs that no longer matter, but for the header's. */
  trim(): void {
    const blocks = Math.floor(this.#first / BLOCK)
    if (blocks > 1) punchHole(this.#fd, BLOCK, (blocks - 1) * BLOCK)
  }

  /** Writes the header with the first thing that there is to say. */
  #begun(): boolean {
    if (this.#end === 0 && this.#write(Buffer.concat([MAGIC, doubles(0, HEADER, 0)]), 0)) this.#end = HEADER
    return this.#end > 0
  }

  #write(bytes: Buffer, at: number): boolean {
    try {
      return writeSync(this.#fd, bytes, 0, bytes.length, at) === bytes.length
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EDQUOT') return false
      throw error
    }
  }

  close(): void {
    if (this.#fd === -1) return
    closeSync(this.#fd)
    this.#fd = -1
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** What an index says at one moment. */
export class IndexReader {
  readonly punched: number
  /** Position in the file of the first pair kept here. */
  readonly first: number
  readonly #pairs: Buffer

  private constructor(punched: number, first: number, pairs: Buffer) {
    this.punched = punched
    this.first = first
    this.#pairs = pairs
  }

  /** An empty one where there is no index: then nothing is known of times. */
  static load(path: string): IndexReader {
    return withFile(path, IndexReader.parse) ?? new IndexReader(0, HEADER, Buffer.alloc(0))
  }

  /** null where the file is no index. */
  static parse(fd: number): IndexReader | null {
    const header = readHeader(fd)
    if (header === null) return null
    const first = Math.max(HEADER, header.readDoubleLE(FIRST))
    const count = Math.max(0, Math.floor((fstatSync(fd).size - first) / PAIR))
    const pairs = Buffer.alloc(count * PAIR)
    const read = readSync(fd, pairs, 0, pairs.length, first)
    return new IndexReader(header.readDoubleLE(PUNCHED), first, pairs.subarray(0, read - (read % PAIR)))
  }

  get lastSize(): number {
    return this.#count === 0 ? 0 : this.#size(this.#count - 1)
  }

  /** When the byte at `offset` had been written (ms since the epoch); null: after the last pair. */
  timeOf(offset: number): number | null {
    const pair = this.indexOf(offset)
    return pair < this.#count ? this.#time(pair) : null
  }

  /** What stands before this offset was written before `time`. */
  offsetAt(time: number): number {
    const pair = this.#firstPair((each) => this.#time(each) >= time)
    return pair === 0 ? 0 : this.#size(pair - 1)
  }

  /** The first pair whose log is longer than `offset`. */
  indexOf(offset: number): number {
    return this.#firstPair((each) => this.#size(each) > offset)
  }

  get #count(): number {
    return this.#pairs.length / PAIR
  }

  #size(pair: number): number {
    return this.#pairs.readDoubleLE(pair * PAIR)
  }

  #time(pair: number): number {
    return this.#pairs.readDoubleLE(pair * PAIR + 8)
  }

  /** The first pair that a monotonic test holds for; their number where it holds for none. */
  #firstPair(holds: (pair: number) => boolean): number {
    let [low, high] = [0, this.#count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (holds(middle)) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Bytes of a log that are punched now, from its index's header alone. */
export function punchedBytes(indexPath: string): number {
  return withFile(indexPath, readHeader)?.readDoubleLE(PUNCHED) ?? 0
}

function readHeader(fd: number): Buffer | null {
  const header = Buffer.alloc(HEADER)
  const read = readSync(fd, header, 0, HEADER, 0)
  return read === HEADER && header.subarray(0, 8).equals(MAGIC) ? header : null
}

/** null where there is no such file. */
function withFile<T>(path: string, use: (fd: number) => T): T | null {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

function doubles(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [i, value] of values.entries()) bytes.writeDoubleLE(value, i * 8)
  return bytes
}
