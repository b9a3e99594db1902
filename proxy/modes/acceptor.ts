import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { Socket } from 'node:net'
import { accept, type Descriptor, setNonblocking } from '../../native/index.ts'

/** Connections taken at one go, so that a long queue does not stop the daemon's loop. */
const BATCH = 64

/**
 * Accepts what waits in a slot and hands each connection to an HTTP server that never listens, so the socket
 * stays the holder's.
 */
export class Acceptor implements Disposable {
  readonly http: Server
  readonly #slot: Descriptor
  readonly #watch: () => Promise<void>
  #over = false

  /**
   * `watch` resolves when the slot has something to accept; it is called again after each batch. The slot is
   * made non-blocking; the holder undoes that when it gives the slot to a generation.
   */
  constructor(slot: Descriptor, watch: () => Promise<void>, options: ServerOptions, answer: RequestListener) {
    this.#slot = slot
    this.#watch = watch
    this.http = createServer(options, answer)
    this.http.on('clientError', (_error, socket) => socket.destroy())
    // Node begins to count its time-outs when a server listens, and this one never will.
    this.http.emit('listening')
    setNonblocking(slot, true)
  }

  /** Until it is disposed, or `watch` rejects. */
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
      this.serve(fd)
    }
  }

  /** A connection that was accepted; the number is the acceptor's from here. */
  serve(fd: number): void {
    const connection = new Socket({ fd, readable: true, writable: true })
    // The server's own timers count for it from here; an error of it is the client's business.
    connection.on('error', () => connection.destroy())
    this.http.emit('connection', connection)
  }

  /** Accepts no more. */
  protected stop(): void {
    this.#over = true
  }

  /** Answers under way are finished; connections without one are closed. */
  [Symbol.dispose](): void {
    this.stop()
    this.http.close()
  }
}
