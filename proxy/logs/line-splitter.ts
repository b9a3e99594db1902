import type { RawLine } from './line.ts'

/** Bytes. A longer line comes in pieces of at most this: no program may make a reader hold its whole output. */
export const LONGEST_LINE = 64 * 1024

const NEWLINE = 0x0a
const RETURN = 0x0d

/** Cuts a file's bytes into lines, whatever pieces they come in. Bytes that are no UTF-8 become U+FFFD. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0)
  #offset: number

  /** @param offset where the first byte stands in the file */
  constructor(offset: number) {
    this.#offset = offset
  }

  /** Where the unfinished line begins: to go on from there loses nothing. */
  get offset(): number {
    return this.#offset
  }

  /** Where the next chunk has to come from. */
  get end(): number {
    return this.#offset + this.#rest.length
  }

  /** The lines that `chunk` completes; it may be reused afterwards. */
  push(chunk: Buffer): RawLine[] {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const lines: RawLine[] = []
    let from = 0
    for (let end = data.indexOf(NEWLINE); end !== -1; end = data.indexOf(NEWLINE, from)) {
      from = this.#cutLong(data, from, end, lines)
      const last = end > from && data[end - 1] === RETURN ? end - 1 : end
      lines.push({ offset: this.#offset + from, text: data.toString('utf8', from, last) })
      from = end + 1
    }
    from = this.#cutLong(data, from, data.length, lines)
    this.#rest = Buffer.from(data.subarray(from))
    this.#offset += from
    return lines
  }

  /** What has come of a line that has no end yet. */
  flush(): RawLine[] {
    const rest = this.#rest
    if (rest.length === 0) return []
    const line = { offset: this.#offset, text: rest.toString('utf8') }
    this.#offset += rest.length
    this.#rest = Buffer.alloc(0)
    return [line]
  }

  /** Pieces of LONGEST_LINE as long as more than that is left; returns where the remainder begins. */
  #cutLong(data: Buffer, begin: number, end: number, lines: RawLine[]): number {
    let from = begin
    while (end - from > LONGEST_LINE) {
      const to = characterStart(data, from + LONGEST_LINE)
      lines.push({ offset: this.#offset + from, text: data.toString('utf8', from, to) })
      from = to
    }
    return from
  }
}

/** The start of the UTF-8 character that `at` may be inside of; `at` itself where the bytes are no UTF-8. */
function characterStart(data: Buffer, at: number): number {
  for (let back = 0; back < 4; back++) {
    const byte = data[at - back] ?? 0
    if ((byte & 0b1100_0000) !== 0b1000_0000) return at - back
  }
  return at
}
