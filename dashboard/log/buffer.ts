import type { LogLine } from '../../proxy/protocol.ts'
import { plainText } from './ansi.ts'

export interface Line {
  /** Counts up; a line keeps it. */
  key: number
  at: string
  generation: number
  /** As the service wrote it, with its escape sequences. */
  text: string
  plain: string
}

export type Level = 'all' | 'warnings' | 'errors'

export interface Filter {
  /** Part of a line in any case, or `/a regular expression/`; '' lets everything through. */
  text: string
  generation: number | null
  level: Level
}

/** Lines kept; beyond it the oldest go, many at once. */
export const MOST_LINES = 100_000
const DROPPED = 10_000

const ERRORS = /\b(?:error|fatal|panic|exception|critical|traceback|err!|unhandled\w*)\b|"level":(?:50|60)\b/i
const WARNINGS = /\b(?:warn|warning|deprecated\w*)\b|"level":40\b/i

/** The lines of one log, and those of them that a filter lets through. */
export class LogBuffer {
  /** Replaced when it changes, so that its identity says so. */
  shown: Line[] = []
  generations: number[] = []
  #lines: Line[] = []
  #filter: Filter = { text: '', generation: null, level: 'all' }
  #passes: (line: Line) => boolean = () => true
  #clearedBefore = 0
  #key = 0
  /** Offset of the last line, by generation: a stream that is begun again tells what is known once more. */
  readonly #last = new Map<number, number>()
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly read = (): Line[] => this.shown

  get size(): number {
    return this.#lines.length
  }

  append(lines: readonly LogLine[]): void {
    const fresh = lines.flatMap(({ at, generation, offset, text }): Line[] => {
      if (offset <= (this.#last.get(generation) ?? -1)) return []
      this.#last.set(generation, offset)
      this.#key += 1
      return [{ key: this.#key, at, generation, text, plain: plainText(text) }]
    })
    for (const line of fresh) this.#lines.push(line)
    const newest = fresh.at(-1)?.generation
    if (newest !== undefined && newest !== this.generations.at(-1))
      this.generations = [...new Set(this.#lines.map(({ generation }) => generation))].toSorted(
        (a, b) => a - b,
      )
    if (this.#lines.length > MOST_LINES + DROPPED) {
      this.#lines = this.#lines.slice(-MOST_LINES)
      return this.#sift()
    }
    const passing = fresh.filter(this.#passes)
    if (passing.length > 0) this.#show(this.shown.concat(passing))
  }

  /** Hides what is there by now; the service's log keeps it. */
  clear(): void {
    this.#clearedBefore = this.#key + 1
    this.#sift()
  }

  filter(filter: Filter): void {
    this.#filter = filter
    this.#sift()
  }

  #sift(): void {
    const { generation, level } = this.#filter
    const matcher = matcherOf(this.#filter.text)
    this.#passes = (line) =>
      line.key >= this.#clearedBefore &&
      (generation === null || line.generation === generation) &&
      isOfLevel(line.plain, level) &&
      (matcher === null || line.plain.search(matcher) >= 0)
    this.#show(this.#lines.filter(this.#passes))
  }

  #show(lines: Line[]): void {
    this.shown = lines
    for (const listener of this.#listeners) listener()
  }
}

/** What finds a filter's text; null for an empty one. A regular expression that is none yet is text. */
export function matcherOf(text: string): RegExp | null {
  if (text === '') return null
  const [, pattern] = /^\/(.+)\/$/.exec(text) ?? []
  if (pattern !== undefined) {
    try {
      return new RegExp(pattern, 'gi')
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gi')
}

const isOfLevel = (plain: string, level: Level): boolean =>
  level === 'all' || ERRORS.test(plain) || (level === 'warnings' && WARNINGS.test(plain))
