import { Agent, request } from 'node:http'

export interface KeepAliveResult {
  answered: number
  failures: string[]
  /** Answers of a version older than was expected when their request began. */
  stale: string[]
  /** Connections that were made. */
  connections: number
}

/** Clients with one connection each, which ask again as soon as they are answered. */
export class KeepAliveClients {
  readonly #result: KeepAliveResult = { answered: 0, failures: [], stale: [], connections: 0 }
  readonly #clients: Promise<void>[] = []
  readonly #agents: Agent[] = []
  #expected = 0
  #over = false

  /** Resolves when each has been answered once. */
  static async connect(port: number, count: number, path = '/', pauseMs = 5): Promise<KeepAliveClients> {
    const clients = new KeepAliveClients()
    const first = Array.from({ length: count }, () => clients.#add(port, path, pauseMs))
    await Promise.all(first)
    return clients
  }

  get result(): Readonly<KeepAliveResult> {
    return this.#result
  }

  /** The oldest version, of bodies like `v3`, that requests that begin from now on may be answered with. */
  expect(version: number): void {
    this.#expected = version
  }

  async stop(): Promise<KeepAliveResult> {
    this.#over = true
    await Promise.all(this.#clients)
    for (const agent of this.#agents) agent.destroy()
    return this.#result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #add(port: number, path: string, pauseMs: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    this.#agents.push(agent)
    const first = this.#ask(agent, port, path)
    this.#clients.push(
      first.then(async () => {
        while (!this.#over) {
          await this.#ask(agent, port, path)
          await new Promise((resolve) => setTimeout(resolve, pauseMs))
        }
      }),
    )
    return first
  }

  #ask(agent: Agent, port: number, path: string): Promise<void> {
    const expected = this.#expected
    return new Promise((resolve) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        this.#result.failures.push(error.code ?? error.message)
        resolve()
      }
      const asked = request({ host: '127.0.0.1', port, path, agent }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          body += chunk
        })
        response.on('error', failed)
        response.on('end', () => {
          this.#result.answered += 1
          if (response.statusCode !== 200) this.#result.failures.push(`status ${response.statusCode}`)
          else if (Number(body.slice(1)) < expected) this.#result.stale.push(`${body} for v${expected}`)
          resolve()
        })
      })
      asked.on('socket', (socket) => {
        if (socket.connecting) this.#result.connections += 1
      })
      asked.on('error', failed)
      asked.end()
    })
  }
}
