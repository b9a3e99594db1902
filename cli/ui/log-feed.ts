import type { LogBatch, LogLine, Result } from '../../proxy/protocol.ts'
import { formatBytes } from '../print/units.ts'
import { type LogWindow, OWN_LABEL } from './log-window.ts'

/** Asks for the newest lines of a service that are in its files. */
export type ReadLog = (service: string) => AsyncIterable<Result<LogLine>>

interface Place {
  generation: number
  offset: number
}

/** Batches that wait for the past to be read; more are told by their number alone. */
const MOST_WAITING = 400
/** Milliseconds between two lines that say how much passed. */
const MARK_MS = 1_000

/**
 * Brings lines into the window: those that come as events, and before them those that are in the files already (of
 * the time before this screen, or while the daemon was away). A line's place in its log says which of them is which.
 */
export class LogFeed {
  readonly #logs: LogWindow
  /** Of the newest line of each service. */
  readonly #newest = new Map<string, Place>()
  readonly #passed = new Map<string, number>()
  #markedAt = Number.NEGATIVE_INFINITY
  /** While the past is read. */
  #waiting: LogBatch[] | null = null

  constructor(logs: LogWindow) {
    this.#logs = logs
  }

  push(batch: LogBatch): void {
    if (this.#waiting === null) return this.#show(batch)
    this.#waiting.push(batch)
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift()
  }

  /** Reads what is not in the window yet; lines that come meanwhile follow. */
  async catchUp(services: string[], read: ReadLog): Promise<void> {
    if (this.#waiting !== null) return
    this.#waiting = []
    const logs = await Promise.all(services.map((service) => this.#missing(service, read)))
    const waiting = this.#waiting
    const isToCome = ({ service, ...place }: LogLine): boolean => {
      const first = waiting.find((batch) => batch.service === service)
      return first !== undefined && !isBefore(place, { ...first, offset: first.first })
    }
    // Stable: lines of one service with the same time stay in their order.
    const past = logs.flat().sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    for (const line of past) if (!isToCome(line)) this.#add(line, line.text)
    this.#waiting = null
    for (const batch of waiting) this.#show(batch)
  }

  async #missing(service: string, read: ReadLog): Promise<LogLine[]> {
    const newest = this.#newest.get(service)
    const found: LogLine[] = []
    for await (const line of read(service)) {
      // What cannot be read now is in the file; the lines to come are what matters here.
      if (!line.ok) break
      if (newest === undefined || isBefore(newest, line.value)) found.push(line.value)
    }
    return found
  }

  #show(batch: LogBatch): void {
    if (batch.passed > 0) this.#markPassed(batch)
    for (const text of batch.lines) this.#logs.push(batch.service, text, batch.generation)
    this.#newest.set(batch.service, { generation: batch.generation, offset: batch.last })
  }

  #add({ service, generation, offset }: LogLine, text: string): void {
    this.#logs.push(service, text, generation)
    this.#newest.set(service, { generation, offset })
  }

  #markPassed({ service, passed }: LogBatch): void {
    const sum = (this.#passed.get(service) ?? 0) + passed
    const now = performance.now()
    if (now - this.#markedAt < MARK_MS) {
      this.#passed.set(service, sum)
      return
    }
    this.#markedAt = now
    this.#passed.delete(service)
    this.#logs.push(
      OWN_LABEL,
      `⋯ ${formatBytes(sum)} of ${service} passed too fast to be shown; devsock logs ${service}`,
    )
  }
}

const isBefore = (a: Place, b: Place): boolean =>
  a.generation < b.generation || (a.generation === b.generation && a.offset < b.offset)
