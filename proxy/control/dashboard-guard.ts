import type { IncomingMessage } from 'node:http'
import { fail, ok, type Result } from '../protocol.ts'
import type { Token } from './dashboard-token.ts'

/** Names of this machine that a page may be opened by; what else resolves here is somebody's DNS rebinding. */
const NAMES = ['localhost', '127.0.0.1', '[::1]', 'devsock.localhost']

const READS = new Set(['GET', 'HEAD'])
const WRITES = new Set(['POST', 'DELETE'])

/**
 * Decides about every request to the dashboard's port, which any page that this user opens can reach, and any
 * user of this machine. Three questions, each by itself enough against another site: was it meant for us (Host),
 * does it come from our own page (Origin), does it have the token.
 */
export class Guard {
  readonly #hosts: ReadonlySet<string>
  readonly #token: Token

  constructor(port: number, token: Token) {
    this.#hosts = new Set(NAMES.map((name) => (port === 80 ? name : `${name}:${port}`)))
    this.#token = token
  }

  /** Of any request, static files and upgrades too. */
  checkHost({ headers, url = '' }: IncomingMessage): Result<null> {
    if (headers.host === undefined || !this.#hosts.has(headers.host))
      return forbidden(`this is not ${headers.host ?? 'a host without a name'}`)
    // Not a proxy: `GET http://elsewhere/` and `//elsewhere/` are asked of one.
    if (!/^\/(?!\/)/.test(url)) return forbidden('this is no proxy')
    return ok(null)
  }

  /** Of a request to the API. Writes need our own page's Origin and a type that no form can send. */
  checkRequest(request: IncomingMessage): Result<null> {
    const { method = '', headers } = request
    if (!READS.has(method)) {
      if (!WRITES.has(method)) return fail('usage', `${method} is not understood here`)
      const origin = this.checkOrigin(request)
      if (!origin.ok) return origin
      if (!/^application\/json(?:\s*;|$)/i.test(headers['content-type'] ?? ''))
        return forbidden('a write has the content type application/json')
    }
    const given = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1]
    return this.knows(given) ? ok(null) : unauthorized()
  }

  /** `null`, absent, another port or another name for this one: refused. Assumes that the Host is right. */
  checkOrigin({ headers }: IncomingMessage): Result<null> {
    if (headers.origin === `http://${headers.host}`) return ok(null)
    return forbidden(`a page of ${headers.origin ?? 'nowhere'} may not do that`)
  }

  knows(token: unknown): boolean {
    return this.#token.matches(token)
  }
}

const forbidden = (message: string): Result<never> => fail('forbidden', message, 'open it with: devsock open')

const unauthorized = (): Result<never> =>
  fail('unauthorized', 'the token is missing or not the right one', 'open the page with: devsock open')
