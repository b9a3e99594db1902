import type { Agent } from 'node:http'
import { request } from './request.ts'

/** What a request came back with. `begun` where it had to wait for its client (performance.now()). */
export interface Answer {
  status: number
  body: string
  begun?: number
}

export interface LoadOptions {
  /** Requests a second, each sent at its time whether or not the ones before were answered. */
  rate: number
  port?: number
  path?: string
  /** Milliseconds a request may take before it counts as `timeout`; 10 s unless said. */
  deadline?: number
  host?: string
  /** A unix socket in place of the port. */
  socketPath?: string
  /** Its connections; unless said, every request has one of its own. */
  agent?: Agent
  /** In place of all that: one request, failing as node:http does. */
  ask?: () => Promise<Answer>
  onSample?: (sample: Sample) => void
}

export type Outcome = 'ok' | 'answered' | 'refused' | 'reset' | 'timeout' | 'other'

/** One request, when it is over. Times are performance.now(). */
export interface Sample {
  outcome: Outcome
  /** When it was to be sent, and when this process came to it. */
  due: number
  sent: number
  /** Later than `sent` where it had to wait for its client. */
  begun: number
  ended: number
  body: string
}

export interface LoadResult extends Record<Outcome, number> {
  sent: number
  /** How often each body of a 2xx came, in order of first appearance; at most 100 different ones. */
  bodies: Map<string, number>
  /** From when it was to be sent. */
  slowestMs: number
  /** The first few failures, for the message of an assertion. */
  failures: string[]
}

/** More than this many at once says that nobody answers; the rest counts as `other`. */
const MAX_IN_FLIGHT = 2000

/**
 * An open-loop load: a slow server does not slow the clients, as it does not in life, so that what a
 * swap holds up shows.
 */
export class Load {
  readonly #options: LoadOptions
  readonly #ask: () => Promise<Answer>
  readonly #started = performance.now()
  readonly #timer: NodeJS.Timeout
  readonly #pending = new Set<Promise<void>>()
  #due = 0
  readonly #result: LoadResult = {
    sent: 0,
    ok: 0,
    answered: 0,
    refused: 0,
    reset: 0,
    timeout: 0,
    other: 0,
    bodies: new Map(),
    slowestMs: 0,
    failures: [],
  }

  constructor(options: LoadOptions) {
    const { port = 0, path = '/', rate, ask, ...more } = options
    this.#options = options
    this.#ask = ask ?? (() => request(port, path, more))
    this.#timer = setInterval(() => this.#sendDue(), Math.max(1, Math.min(20, 500 / rate)))
  }

  /** What has come in up to now. */
  get result(): Readonly<LoadResult> {
    return this.#result
  }

  /** Sends no more and waits for what is on its way. */
  async stop(): Promise<LoadResult> {
    clearInterval(this.#timer)
    await Promise.all(this.#pending)
    return this.#result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #sendDue(): void {
    const spacing = 1000 / this.#options.rate
    const due = Math.floor((performance.now() - this.#started) / spacing)
    while (this.#due < due) {
      this.#due += 1
      const pending = this.#send(this.#started + this.#due * spacing).finally(() =>
        this.#pending.delete(pending),
      )
      this.#pending.add(pending)
    }
  }

  async #send(due: number): Promise<void> {
    const number = ++this.#result.sent
    const sent = performance.now()
    const over = (outcome: Outcome, why: string, body = '', begun = sent) =>
      this.#over({ outcome, due, sent, begun, ended: performance.now(), body }, `request ${number}: ${why}`)
    if (this.#pending.size >= MAX_IN_FLIGHT) return over('other', 'too many unanswered')
    try {
      const { status, body, begun } = await this.#ask()
      over(status >= 200 && status <= 299 ? 'ok' : 'answered', `status ${status}`, body, begun)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      over(outcomeOf(code), code)
    }
  }

  #over(sample: Sample, why: string): void {
    const result = this.#result
    const { outcome, due, ended, body } = sample
    result[outcome] += 1
    this.#options.onSample?.(sample)
    if (outcome !== 'ok') {
      if (result.failures.length < 10)
        result.failures.push(`${why} at ${Math.round(ended - this.#started)} ms`)
      return
    }
    result.slowestMs = Math.max(result.slowestMs, ended - due)
    const seen = result.bodies.get(body)
    if (seen !== undefined || result.bodies.size < 100) result.bodies.set(body, (seen ?? 0) + 1)
  }
}

function outcomeOf(code: string): Outcome {
  if (code === 'ECONNREFUSED') return 'refused'
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset'
  return code === 'ETIMEDOUT' ? 'timeout' : 'other'
}
