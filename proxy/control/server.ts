import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { API_VERSION, FAILURES, type Failure, fail, ok, type Result } from '../protocol.ts'
import { type Call, type Controls, type Route, routes } from './routes.ts'

/** An `up` carries an environment; the kernel's own limit for one is 2 MiB on most systems. */
const MAX_BODY = 8 * 1024 * 1024

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
    const http = createServer((request, response) => {
      respond(controls, request, response).catch((error: unknown) => {
        controls.context.log.error({ url: request.url, error }, 'a request failed')
        if (!response.headersSent)
          sendFailure(response, { code: 'internal', message: String(error), hint: 'devsock daemon logs' })
        else response.destroy()
      })
    })
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

async function respond(
  controls: Controls,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const found = findRoute(request.method ?? 'GET', url.pathname)
  if (!found) return sendFailure(response, notFound(request.method, url.pathname))
  const call: Call = {
    request,
    response,
    parameters: found.parameters,
    query: url.searchParams,
    body: () => readBody(request),
  }
  const result = await found.route.handle(controls, call)
  if (!result.ok) return sendFailure(response, result.failure)
  if (result.value !== undefined) send(response, 200, { v: API_VERSION, ...result.value })
}

function findRoute(method: string, path: string): { route: Route; parameters: string[] } | null {
  const parts = path.split('/')
  for (const route of routes) {
    const pattern = route.path.split('/')
    if (route.method !== method || pattern.length !== parts.length) continue
    if (!pattern.every((part, index) => part.startsWith(':') || part === parts[index])) continue
    const parameters = parts.filter((_, index) => pattern[index]?.startsWith(':'))
    try {
      return { route, parameters: parameters.map(decodeURIComponent) }
    } catch (error) {
      if (error instanceof URIError) return null
      throw error
    }
  }
  return null
}

async function readBody(request: IncomingMessage): Promise<Result<unknown>> {
  const length = Number(request.headers['content-length'] ?? Number.NaN)
  if (!(length <= MAX_BODY))
    return fail('usage', `the request needs a content-length of at most ${MAX_BODY} bytes`)
  const content = await text(request)
  try {
    return ok(JSON.parse(content))
  } catch (error) {
    return fail('usage', `the request is not JSON: ${error instanceof Error ? error.message : error}`)
  }
}

const notFound = (method: string | undefined, path: string): Failure => ({
  code: 'usage',
  message: `there is no ${method} ${path}`,
  hint: 'an older or newer devsock may have it: devsock daemon status',
})

function sendFailure(response: ServerResponse, failure: Failure): void {
  send(response, FAILURES[failure.code].status, { v: API_VERSION, error: failure })
}

function send(response: ServerResponse, status: number, document: object): void {
  const body = `${JSON.stringify(document)}\n`
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
