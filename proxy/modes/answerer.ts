import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import type { Descriptor } from '../../native/index.ts'
import { Acceptor } from './acceptor.ts'
import { WAITS } from './failure-page.ts'

/** A client that sends nothing gets no longer than this. */
const HEADERS_TIMEOUT_MS = 10_000

/**
 * Answers on a slot in place of a server that is not there. What is not HTTP is closed. A page that waits for
 * something else to see is answered when this ends.
 */
export class Answerer extends Acceptor {
  readonly #waiting: Set<() => void>
  readonly #open = new Set<Socket>()
  #isOver = false

  constructor(slot: Descriptor, watch: () => Promise<void>, answer: RequestListener) {
    const waiting = new Set<() => void>()
    super(slot, watch, { keepAlive: false, headersTimeout: HEADERS_TIMEOUT_MS }, (request, response) => {
      if (request.headers[WAITS] === undefined) return answer(request, response)
      const onOver = (): void => answer(request, response)
      waiting.add(onOver)
      response.once('close', () => waiting.delete(onOver))
    })
    this.#waiting = waiting
    this.http.on('upgrade', (_request, socket) => socket.destroy())
    this.http.on('connection', (connection) => {
      this.#open.add(connection)
      connection.once('close', () => {
        this.#open.delete(connection)
        if (this.#isOver) this.#closeWhenUnused()
      })
    })
  }

  /** Whoever was accepted is answered: a request may be on its way, or here and not yet read. */
  override [Symbol.dispose](): void {
    this.stop()
    this.#isOver = true
    // Silent ones must not keep the daemon.
    for (const connection of this.#open) connection.unref()
    this.#closeWhenUnused()
    for (const onOver of this.#waiting) onOver()
    this.#waiting.clear()
  }

  /** Node's close() destroys connections that have not asked yet; without it a timer of the server stays. */
  #closeWhenUnused(): void {
    if (this.#open.size === 0) this.http.close()
  }
}
