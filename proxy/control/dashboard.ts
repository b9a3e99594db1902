import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Descriptor } from '../../native/index.ts'
import { HolderError } from '../holder/error.ts'
import { Acceptor } from '../modes/acceptor.ts'
import { fail } from '../protocol.ts'
import type { Context } from '../services/context.ts'
import { DASHBOARD_SOCKET } from '../services/names.ts'
import { ANSWER_HEADERS } from './answer-headers.ts'
import { api, sendFailure } from './api.ts'
import { StaticFiles } from './dashboard-files.ts'
import { Guard } from './dashboard-guard.ts'
import type { Token } from './dashboard-token.ts'
import type { EventStreams } from './events.ts'
import type { Controls, Route } from './routes.ts'

const DEFAULT_PORT = 7625
const BACKLOG = 511

/** A connection that asks nothing is cut after this long, looked at so often. */
const HEADERS_TIMEOUT_MS = 10_000
const CHECK_MS = 5_000

/** Any user of this machine can connect: more than a person's tabs ever need would be the daemon's descriptors. */
const MAX_CONNECTIONS = 256

/** Milliseconds until it accepts again, where accepting failed (no descriptor left). */
const AGAIN_MS = 1_000

/** Milliseconds that answers under way get when the daemon leaves. */
const LAST_ANSWERS_MS = 100

/** Where the dashboard is, bound and not yet served. */
export interface DashboardSocket {
  port: number
  slot: Descriptor
  /** `http://localhost:7625/` */
  url: string
}

/**
 * Binds the dashboard's port, or takes up the one that the daemon before this one had. A port that cannot be had
 * gives way to any free one; null where not even that can be bound.
 */
export async function bindDashboard(
  { holder, log }: Pick<Context, 'holder' | 'log'>,
  wanted: string | undefined,
): Promise<DashboardSocket | null> {
  const held = holder.socket(DASHBOARD_SOCKET)
  const [slot] = held?.slots ?? []
  if (held?.port && slot) return { port: held.port, slot, url: urlOf(held.port) }
  for (const port of new Set([portNumber(wanted), 0])) {
    try {
      const bound = await holder.bind(DASHBOARD_SOCKET, `loopback:${port}`, { backlog: BACKLOG })
      if (bound.port !== null) return { port: bound.port, slot: bound.slot, url: urlOf(bound.port) }
    } catch (error) {
      if (!(error instanceof HolderError)) throw error
      log.info({ port, code: error.code }, 'the dashboard cannot have that port')
    }
  }
  return null
}

/** The page and the API for it, on the port that every browser of this machine can reach: see {@link Guard}. */
export class Dashboard implements AsyncDisposable {
  readonly #acceptor: Acceptor
  readonly #connections = new Set<Socket>()
  readonly #over = new AbortController()

  constructor(
    { port, slot }: DashboardSocket,
    token: Token,
    folder: string,
    controls: Controls,
    streams: EventStreams,
  ) {
    const { context } = controls
    const guard = new Guard(port, token)
    const listener = answer(guard, new StaticFiles(folder), controls)
    this.#acceptor = new Acceptor(
      slot,
      () => context.expect.readable(DASHBOARD_SOCKET, 0, this.#over.signal),
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_MS,
        // The guard refuses those, with our headers; Node's own answers have none.
        requireHostHeader: false,
      },
      listener,
    )
    this.#acceptor.http.on('checkExpectation', listener)
    this.#acceptor.http.prependListener('connection', (connection: Socket) => {
      if (this.#connections.size >= MAX_CONNECTIONS) return void connection.destroy()
      this.#connections.add(connection)
      connection.on('close', () => this.#connections.delete(connection))
    })
    streams.serve(this.#acceptor.http, {
      admits: (request) => {
        const host = guard.checkHost(request)
        return host.ok ? guard.checkOrigin(request) : host
      },
      trusts: (message) => guard.knows((message as { token?: unknown } | null)?.token),
      leases: false,
    })
    void this.#accept(context.log)
  }

  async #accept(log: Context['log']): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      try {
        await this.#acceptor.run()
      } catch (error) {
        if (signal.aborted) return
        log.error({ error: String(error) }, 'the dashboard could not accept')
        await delay(AGAIN_MS)
      }
    }
  }

  /** Accepts no more. The socket stays with the holder, for the next daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over.signal.aborted) return
    this.#over.abort(new Error('the dashboard is closed'))
    this.#acceptor[Symbol.dispose]()
    const connections = [...this.#connections]
    const cut = setTimeout(() => {
      for (const connection of connections) connection.destroy()
    }, LAST_ANSWERS_MS)
    await Promise.all(connections.map((connection) => once(connection, 'close')))
    clearTimeout(cut)
  }
}

function answer(guard: Guard, files: StaticFiles, controls: Controls): RequestListener {
  const answerApi = api(controls, (request, { local }: Route) => {
    const checked = guard.checkRequest(request)
    if (!checked.ok || !local) return checked
    return fail('forbidden', 'no page may do that', 'the devsock command can')
  })
  return (request, response) => {
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) response.setHeader(name, value)
    const host = guard.checkHost(request)
    if (!host.ok) return sendFailure(response, host.failure)
    const [pathname = '/'] = (request.url ?? '/').split('?')
    if (pathname.startsWith('/v1/')) return answerApi(request, response)
    files.answer(request, response, pathname)
  }
}

const urlOf = (port: number): string => `http://localhost:${port}/`

/** What DEVSOCK_DASHBOARD_PORT says, where it says anything that makes sense. */
function portNumber(text: string | undefined): number {
  const port = Number(text)
  return text !== undefined && /^\d+$/.test(text) && port <= 65535 ? port : DEFAULT_PORT
}
