import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { Socket } from 'node:net'
import { accept, type Descriptor, setNonblocking } from '../../native/index.ts'

/** Connections taken at one go, so that a long queue does not stop the daemon's loop. */
const BATCH = 64

/** A client that sends nothing gets no longer than this. */
const HEADERS_TIMEOUT_MS = 10_000

/**
 * Answers on a slot in place of a server that is not there: accepts what waits and hands each connection to an
 * HTTP server that never listens, so the socket stays the holder's. What is not HTTP is closed.
 */
export class Answerer implements Disposable {
  readonly #slot: Descriptor
  readonly #server: Server
  readonly #watch: () => Promise<void>
  #over = false

  /**
   * `watch` resolves when the slot has something to accept; it is called again after each batch. The slot is
   * made non-blocking; the holder undoes that when it gives the slot to a generation.
   */
  constructor(slot: Descriptor, watch: () => Promise<void>, answer: RequestListener) {
    this.#slot = slot
    this.#watch = watch
    this.#server = createServer({ keepAlive: false, headersTimeout: HEADERS_TIMEOUT_MS }, answer)
    this.#server.on('clientError', (_error, socket) => socket.destroy())
    this.#server.on('upgrade', (_request: IncomingMessage, socket) => socket.destroy())
    setNonblocking(slot, true)
  }

  async run(): Promise<void> {
    while (!this.#over) {
      await this.#watch()
      if (!this.#over) this.#takeBatch()
    }
  }

  #takeBatch(): void {
    for (let taken = 0; taken < BATCH; taken += 1) {
      const fd = accept(this.#slot)
      if (fd === null) return
      const connection = new Socket({ fd, readable: true, writable: true })
      // The server's own timers count for it from here; an error of it is the client's business.
      connection.on('error', () => connection.destroy())
      this.#server.emit('connection', connection)
    }
  }

  [Symbol.dispose](): void {
    this.#over = true
  }
}
