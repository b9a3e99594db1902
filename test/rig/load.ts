import { request } from './request.ts'

export interface LoadOptions {
  port: number
  path?: string
  /** Requests a second, each sent at its time whether or not the ones before were answered. */
  rate: number
  /** Milliseconds a request may take before it counts as `timeout`; 10 s unless said. */
  deadline?: number
  host?: string
  /** A unix socket in place of the port. */
  socketPath?: string
}

export interface LoadResult {
  sent: number
  /** Answered with a 2xx. */
  ok: number
  /** Another status. */
  answered: number
  refused: number
  reset: number
  timeout: number
  other: number
  /** How often each body of a 2xx came, in order of first appearance; at most 100 different ones. */
  bodies: Map<string, number>
  slowestMs: number
  /** The first few failures, for the message of an assertion. */
  failures: string[]
}

/** More than this many at once says that nobody answers; the rest counts as `other`. */
const MAX_IN_FLIGHT = 2000

/**
 * An open-loop load: a slow server does not slow the clients, as it does not in life, so that what a
 * swap holds up shows. Every request has a connection of its own.
 */
export class Load {
  readonly #options: LoadOptions
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
    this.#options = options
    this.#timer = setInterval(() => this.#sendDue(), Math.max(1, Math.min(20, 500 / options.rate)))
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
    const due = Math.floor(((performance.now() - this.#started) / 1000) * this.#options.rate)
    for (; this.#due < due; this.#due++) {
      const pending = this.#send().finally(() => this.#pending.delete(pending))
      this.#pending.add(pending)
    }
  }

  async #send(): Promise<void> {
    const { port, path = '/', host, socketPath, deadline } = this.#options
    const result = this.#result
    result.sent++
    if (this.#pending.size >= MAX_IN_FLIGHT) return this.#failed('other', 'too many unanswered')
    const began = performance.now()
    try {
      const { status, body } = await request(port, path, { host, socketPath, deadline })
      result.slowestMs = Math.max(result.slowestMs, performance.now() - began)
      if (status < 200 || status > 299) return this.#failed('answered', `status ${status}`)
      result.ok++
      const seen = result.bodies.get(body)
      if (seen !== undefined || result.bodies.size < 100) result.bodies.set(body, (seen ?? 0) + 1)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      if (code === 'ECONNREFUSED') this.#failed('refused', code)
      else if (code === 'ECONNRESET' || code === 'EPIPE') this.#failed('reset', code)
      else if (code === 'ETIMEDOUT') this.#failed('timeout', code)
      else this.#failed('other', code)
    }
  }

  #failed(kind: 'answered' | 'refused' | 'reset' | 'timeout' | 'other', why: string): void {
    this.#result[kind]++
    if (this.#result.failures.length < 10)
      this.#result.failures.push(
        `request ${this.#result.sent}: ${why} at ${Math.round(performance.now() - this.#started)} ms`,
      )
  }
}
