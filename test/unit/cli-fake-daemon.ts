/** A control API that answers what a test says, over a real socket; and one call of the command line against it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { dispatch } from '../../cli/dispatch.ts'
import type { Streams } from '../../cli/io.ts'
import type { ProjectStatus, ServiceStatus, StatusDocument, Subscription } from '../../proxy/protocol.ts'
import { eventually } from '../rig/eventually.ts'

export interface Asked {
  method: string
  /** With its query. */
  path: string
  body: unknown
}

/** What a route answers: a document with its status, when it is time; or the lines of a stream. */
type Answer = { status?: number; body: unknown; after?: Promise<void> } | { lines: unknown[] }

export class FakeDaemon implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'devsock-cli-'))
  readonly asked: Asked[] = []
  readonly subscriptions: Subscription[] = []
  readonly #routes = new Map<string, (asked: Asked) => Answer>()
  readonly #clients = new Set<WebSocket>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (request, response) => {
      let text = ''
      for await (const chunk of request) text += chunk
      const asked = {
        method: request.method ?? '',
        path: request.url ?? '',
        body: text ? JSON.parse(text) : null,
      }
      const route = this.#routes.get(`${asked.method} ${asked.path.split('?')[0]}`)
      const answer = route?.(asked) ?? {
        status: 404,
        body: {
          v: 1,
          error: { code: 'internal', message: `no route ${asked.method} ${asked.path}`, hint: null },
        },
      }
      this.asked.push(asked)
      if ('lines' in answer) {
        response.end(answer.lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      } else {
        await answer.after
        response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(answer.body))
      }
    })
    const sockets = new WebSocketServer({ server: this.#server, path: '/v1/events' })
    sockets.on('connection', (client) => {
      this.#clients.add(client)
      client.on('close', () => this.#clients.delete(client))
      client.once('message', (data) => {
        this.subscriptions.push(JSON.parse(String(data)) as Subscription)
      })
    })
  }

  static async start(projects: ProjectStatus[] = []): Promise<FakeDaemon> {
    const daemon = new FakeDaemon()
    writeFileSync(join(daemon.folder, 'devsock.config.json'), '{"services":{}}')
    const document: StatusDocument = {
      v: 1,
      daemon: {
        pid: 1,
        holderPid: 2,
        version: '0.1.0',
        startedAt: '2026-01-01T00:00:00.000Z',
        dashboard: null,
      },
      projects: projects.map((project) => ({ ...project, dir: daemon.folder })),
    }
    daemon.on('GET /v1/status', () => ({ body: document }))
    daemon.on('GET /v1/hello', () => ({ body: { v: 1, version: '999.0.0', pid: 1, hash: 'newer than any' } }))
    await new Promise<void>((resolve) => daemon.#server.listen(join(daemon.folder, 'control.sock'), resolve))
    return daemon
  }

  on(route: string, answer: (asked: Asked) => Answer): void {
    this.#routes.set(route, answer)
  }

  emit(event: object): void {
    for (const client of this.#clients) client.send(JSON.stringify(event))
  }

  get streams(): number {
    return this.#clients.size
  }

  /** Once something was asked, subscribed or closed that makes it true. */
  async until(matches: () => boolean): Promise<void> {
    await eventually(matches, {
      what: String(matches),
      dump: async () => JSON.stringify(this.asked, null, 1),
    })
  }

  get env(): Record<string, string> {
    return { DEVSOCK_STATE_DIR: this.folder, DEVSOCK_RUNTIME_DIR: this.folder, PATH: process.env.PATH ?? '' }
  }

  /** One command line, in this process. */
  async run(
    args: string[],
    more: Partial<Streams> = {},
  ): Promise<{ exit: number; out: string; err: string }> {
    const out = collect()
    const err = collect()
    const stdin = new PassThrough() as unknown as Streams['stdin']
    const streams = { stdin, stdout: out, stderr: err, env: this.env, cwd: this.folder, ...more }
    const exit = await dispatch(args, streams)
    return { exit, out: out.text(), err: err.text() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.terminate()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** An output that remembers. */
export function collect(): Streams['stdout'] & { text(): string } {
  let all = ''
  return {
    write: (chunk: unknown) => {
      all += String(chunk)
      return true
    },
    text: () => all,
  }
}

export const service = (name: string, more: Partial<ServiceStatus> = {}): ServiceStatus => ({
  id: `shop/${name}`,
  name,
  mode: 'listen',
  state: 'held',
  desired: 'held',
  generation: 0,
  pid: null,
  reason: { code: 'held', message: 'nothing has asked yet', hint: null },
  handover: null,
  sockets: [
    {
      name: 'http',
      address: 'localhost:3001',
      port: 3001,
      url: 'http://localhost:3001/',
      queued: 0,
      open: 0,
      owner: null,
    },
  ],
  activations: 0,
  swaps: 0,
  crashes: 0,
  memory: null,
  cpu: null,
  readyAt: null,
  lastConnectionAt: null,
  idleAt: null,
  debugger: false,
  lastSwap: null,
  lastExit: null,
  ...more,
})

export const project = (services: ServiceStatus[], more: Partial<ProjectStatus> = {}): ProjectStatus => ({
  id: 'shop',
  name: 'shop',
  dir: '/nowhere',
  config: null,
  problems: [],
  services,
  ...more,
})
