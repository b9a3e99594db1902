import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { api } from './api.ts'
import type { Controls } from './routes.ts'

/** Milliseconds that answers under way get when the server closes. */
const LAST_ANSWERS_MS = 100

/** HTTP over the control socket, which the same user alone can open. */
export class ControlServer implements AsyncDisposable {
  readonly http: Server
  readonly #path: string

  private constructor(http: Server, path: string) {
    this.http = http
    this.#path = path
  }

  /** Listens on `path`. What an earlier daemon left there is removed: the lock says that it has gone. */
  static async listen(path: string, controls: Controls): Promise<ControlServer> {
    const http = createServer(api(controls))
    rmSync(path, { force: true })
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject)
      // Node makes sockets 0755; the mode is fixed by bind(), so it has to be right before.
      const mask = process.umask(0o177)
      http.listen(path, resolve)
      process.umask(mask)
    })
    return new ControlServer(http, path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#path, { force: true })
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()))
    this.http.closeIdleConnections()
    // Whoever asked for the end still gets the answer; a follower of a log does not hold it up.
    const cut = setTimeout(() => this.http.closeAllConnections(), LAST_ANSWERS_MS)
    await closed
    clearTimeout(cut)
  }
}
