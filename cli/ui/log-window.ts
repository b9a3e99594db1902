/** A line of the merged log; `label` is a service, or `devsock` for what devsock itself has to say. */
export interface LogEntry {
  /** Rises by one a line: the key of its row. */
  id: number
  label: string
  text: string
}

const MOST_LINES = 2_000
/** Of a line; a terminal shows less, and a service may print a megabyte without a line end. */
const MOST_CHARACTERS = 4_000

/** The newest lines of a log that has no end. */
export class LogWindow {
  #entries: LogEntry[] = []
  #next = 0

  push(label: string, text: string): void {
    this.#entries.push({ id: this.#next++, label, text: text.slice(0, MOST_CHARACTERS) })
    // Cutting a line each time would move all others each time.
    if (this.#entries.length > 2 * MOST_LINES) this.#entries = this.#entries.slice(-MOST_LINES)
  }

  /** The last `count` lines whose label or text has `filter` in it, in any case. */
  last(count: number, filter: string): LogEntry[] {
    const wanted = filter.toLowerCase()
    const found: LogEntry[] = []
    for (let index = this.#entries.length - 1; index >= 0 && found.length < count; index--) {
      const entry = this.#entries[index]
      if (entry && matches(entry, wanted)) found.push(entry)
    }
    return found.reverse()
  }
}

const matches = ({ label, text }: LogEntry, wanted: string): boolean =>
  wanted === '' || label.toLowerCase().includes(wanted) || text.toLowerCase().includes(wanted)
