import type { Follower } from '../logs/follower.ts'
import type { Line } from '../logs/log-file.ts'
import type { Recorder } from '../logs/recorder.ts'
import { retain } from '../logs/retention.ts'
import type { Subscription } from '../protocol.ts'
import type { Context } from './context.ts'
import type { Unit } from './unit.ts'

/** Keeps the logs of a service's living generations: times, cap, old files, and who listens. */
export class Logging implements Disposable {
  readonly #context: Context
  readonly #unit: Unit
  readonly #recorders = new Map<number, Recorder>()
  readonly #followers = new Map<number, Follower>()
  #heard: Subscription['logs'] = false

  constructor(context: Context, unit: Unit) {
    this.#context = context
    this.#unit = unit
  }

  /** Whether anybody wants the lines as events, and whether all of them. */
  hear(wanted: Subscription['logs']): void {
    if (wanted === this.#heard) return
    const isFirst = this.#heard === false
    this.#heard = wanted
    for (const follower of this.#followers.values()) follower.hasty = wanted === 'screen'
    // What was written before somebody listened is read from the file, not told.
    if (wanted && isFirst) for (const number of this.#unit.leaders.keys()) this.#follow(number, undefined)
    this.sync()
  }

  /** Brings what is recorded and followed up to what lives. */
  sync(): void {
    const { leaders } = this.#unit
    for (const [number, recorder] of this.#recorders) {
      if (leaders.has(number)) continue
      this.#recorders.delete(number)
      recorder.close()
    }
    for (const [number, follower] of this.#followers) {
      if (leaders.has(number) && this.#heard) continue
      this.#followers.delete(number)
      // The last words of a server are the ones that matter.
      follower.drain()
      follower.close()
    }
    for (const number of leaders.keys()) {
      if (!this.#recorders.has(number)) this.#record(number)
      if (this.#heard && !this.#followers.has(number)) this.#follow(number, 0)
    }
  }

  [Symbol.dispose](): void {
    for (const recorder of this.#recorders.values()) recorder.close()
    for (const follower of this.#followers.values()) follower.close()
    this.#recorders.clear()
    this.#followers.clear()
  }

  #record(number: number): void {
    const { home, project, name, leaders } = this.#unit
    try {
      const onProblem = (message: string): void => this.#warn(message)
      this.#recorders.set(number, this.#unit.log(number).record({ onProblem }))
      retain(home.logs, project, name, new Set(leaders.keys()))
    } catch (error) {
      this.#failed(number, error)
    }
  }

  #follow(number: number, from: number | undefined): void {
    const { project, name: service } = this.#unit
    const told = (lines: Line[], passed: number): void => {
      const texts = lines.map(({ text }) => text)
      const [first = 0, last = first] = [lines[0]?.offset, lines.at(-1)?.offset]
      const batch = { project, service, generation: number, first, last, lines: texts, passed }
      this.#context.publish({ type: 'logs', ...batch })
    }
    const follower = this.#unit.log(number).follow(told, { from })
    follower.hasty = this.#heard === 'screen'
    this.#followers.set(number, follower)
  }

  #warn(message: string): void {
    const { project, name: service } = this.#unit
    this.#context.publish({ type: 'notice', level: 'warn', project, service, message })
  }

  #failed(number: number, error: unknown): void {
    this.#context.log.warn(
      { service: this.#unit.id, number, error: String(error) },
      'its log is not recorded',
    )
  }
}
