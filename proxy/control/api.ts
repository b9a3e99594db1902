import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { API_VERSION, FAILURES, type Failure, fail, ok, type Result } from '../protocol.ts'
import { type Call, type Controls, type Route, routes } from './routes.ts'

/** An `up` carries an environment; the kernel's own limit for one is 2 MiB on most systems. */
const MAX_BODY = 8 * 1024 * 1024

/** Answers the control API. `check` looks at a request and its route first; a failure of it is the answer. */
export function api(
  controls: Controls,
  check: (request: IncomingMessage, route: Route) => Result<null> = () => ok(null),
): RequestListener {
  return (request, response) => {
    respond(controls, check, request, response).catch((error: unknown) => {
      controls.context.log.error({ url: request.url, error }, 'a request failed')
      if (!response.headersSent)
        sendFailure(response, { code: 'internal', message: String(error), hint: 'devsock daemon logs' })
      else response.destroy()
    })
  }
}

async function respond(
  controls: Controls,
  check: (request: IncomingMessage, route: Route) => Result<null>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const found = findRoute(request.method ?? 'GET', url.pathname)
  if (!found) return sendFailure(response, notFound(request.method, url.pathname))
  const checked = check(request, found.route)
  if (!checked.ok) return sendFailure(response, checked.failure)
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

/** A failure as its document, with its status. */
export function sendFailure(response: ServerResponse, failure: Failure): void {
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
