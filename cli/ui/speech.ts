import type { ProjectStatus } from '../../proxy/protocol.ts'
import type { StreamItem } from '../events.ts'
import type { Io } from '../io.ts'
import { PlainPrinter } from '../up/plain.ts'

export interface Said {
  id: number
  text: string
}

/** How often lines are handed over: each time, a screen reader begins to speak. */
const PAUSE_MS = 500
/** More than that at once is heard by nobody. */
const MOST_LINES = 10

/** What a plain `up` would print, in portions that can be listened to. */
export class Speech implements Disposable {
  readonly #printer: PlainPrinter
  readonly #listeners = new Set<() => void>()
  #said: Said[] = []
  #waiting: string[] = []
  #unsaid = 0
  #timer: NodeJS.Timeout | undefined

  constructor(project: ProjectStatus, io: Io) {
    this.#printer = new PlainPrinter(project, io)
  }

  /** For useSyncExternalStore; grows only, as `<Static>` needs it. */
  readonly said = (): Said[] => this.#said

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  push(item: StreamItem): void {
    this.say(...this.#printer.lines(item))
  }

  say(...lines: string[]): void {
    if (lines.length === 0) return
    this.#waiting.push(...lines)
    this.#unsaid += Math.max(0, this.#waiting.length - MOST_LINES)
    this.#waiting = this.#waiting.slice(-MOST_LINES)
    this.#timer ??= setTimeout(() => this.#flush(), PAUSE_MS)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #flush(): void {
    this.#timer = undefined
    const skipped = this.#unsaid > 0 ? [`${this.#unsaid} lines left out: devsock logs has them`] : []
    const lines = [...skipped, ...this.#waiting].map((text, index) => ({
      id: this.#said.length + index,
      text,
    }))
    this.#said = [...this.#said, ...lines]
    this.#waiting = []
    this.#unsaid = 0
    for (const listener of this.#listeners) listener()
  }
}
