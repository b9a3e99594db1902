import { sanitizeLine } from '../print/sanitize.ts'

/** A line of the merged log; `label` is a service, or `devsock` for what devsock itself has to say. */
export interface LogEntry {
  /** Rises by one a line, without a gap. */
  id: number
  label: string
  /** 0: devsock's own. */
  generation: number
  text: string
}

export const OWN_LABEL = 'devsock'

const MOST_LINES = 20_000
/** In all; lines of a terminal's width are far below that. */
const MOST_CHARACTERS = 16_000_000
/** Of a line; a terminal shows less, and a service may print a megabyte without a line end. */
const LONGEST_LINE = 4_000

/** The newest lines of a log that has no end. */
export class LogWindow {
  #entries: LogEntry[] = []
  #next = 0
  #characters = 0
  #isHeld = false
  #passed = 0
  readonly #listeners = new Set<() => void>()

  /** Of the oldest line that is kept; `end` where there is none. */
  get first(): number {
    return this.#next - this.#entries.length
  }

  /** Of the line that comes next. */
  get end(): number {
    return this.#next
  }

  /** Lines that came while the window was held and full. */
  get passed(): number {
    return this.#passed
  }

  get(id: number): LogEntry | undefined {
    return this.#entries[id - this.first]
  }

  push(label: string, text: string, generation = 0): void {
    if (this.#isHeld && this.#isFull()) this.#passed++
    else this.#add(label, text, generation)
    for (const listener of this.#listeners) listener()
  }

  /** While somebody reads further up, no line is dropped from under them. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return
    this.#isHeld = isHeld
    if (this.#passed > 0) this.#add(OWN_LABEL, `⋯ ${this.#passed} lines passed meanwhile`, 0)
    this.#passed = 0
  }

  subscribe(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** The last `count` lines of one generation of a service: its last words, if they are still here. */
  lastOf(label: string, generation: number, count: number): LogEntry[] {
    const found: LogEntry[] = []
    for (let index = this.#entries.length - 1; index >= 0 && found.length < count; index--) {
      const entry = this.#entries[index]
      if (entry?.label === label && entry.generation === generation) found.unshift(entry)
    }
    return found
  }

  #add(label: string, text: string, generation: number): void {
    // A slice would keep all that it is a slice of.
    const kept = text.length > LONGEST_LINE ? Buffer.from(text.slice(0, LONGEST_LINE)).toString() : text
    this.#entries.push({ id: this.#next++, label, generation, text: kept })
    this.#characters += kept.length
    // Cutting a line each time would move all others each time.
    if (!this.#isHeld && this.#isFull()) this.#drop()
  }

  #isFull(): boolean {
    return this.#entries.length >= 1.25 * MOST_LINES || this.#characters >= 1.25 * MOST_CHARACTERS
  }

  #drop(): void {
    let from = this.#entries.length
    let characters = 0
    while (from > 0 && this.#entries.length - from < MOST_LINES && characters < MOST_CHARACTERS) {
      from--
      characters += this.#entries[from]?.text.length ?? 0
    }
    this.#entries = this.#entries.slice(from)
    this.#characters = characters
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: without one, a line is plain as it is
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

/** What can be read of a line: for searching, where colours are in the way. */
export const plainText = ({ text }: LogEntry): string =>
  CONTROL.test(text) ? sanitizeLine(text, { colours: false }) : text
