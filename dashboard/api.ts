import {
  type ErrorDocument,
  fail,
  type LogLine,
  ok,
  type PortListing,
  type PortOwner,
  type Result,
  type ServiceStatus,
  type ServiceVerb,
} from '../proxy/protocol.ts'

/** What freeing a port would end; `refused` says why an owner would be left alone. */
export interface FreePlan {
  port: number
  owners: (PortOwner & { refused: string | null })[]
}

/** The control API as the page may use it. Every call carries the token, and a write what no other site can send. */
export class Api {
  readonly #token: string

  constructor(token: string) {
    this.#token = token
  }

  verb(id: string, verb: ServiceVerb): Promise<Result<{ service: ServiceStatus }>> {
    return this.#exchange('POST', `${servicePath(id)}/${verb}`, {})
  }

  ports(): Promise<Result<{ ports: PortListing[] }>> {
    return this.#exchange('GET', '/v1/ports')
  }

  freePlan(port: number): Promise<Result<FreePlan>> {
    return this.#exchange('GET', `/v1/ports/${port}/plan`)
  }

  free(port: number): Promise<Result<{ ended: PortOwner[]; ms: number }>> {
    return this.#exchange('POST', `/v1/ports/${port}/free`, {})
  }

  /** The last lines of one generation; none where they cannot be had. */
  async lastLines(id: string, generation: number, last: number): Promise<LogLine[]> {
    try {
      const path = `${servicePath(id)}/logs?generation=${generation}&last=${last}`
      const response = await this.#fetch('GET', path, {})
      if (!response.ok) return []
      const lines = (await response.text()).split('\n').slice(0, -1)
      return lines.map((line) => JSON.parse(line) as LogLine)
    } catch (error) {
      // The daemon has gone: they are asked for again when somebody looks again.
      if (error instanceof TypeError) return []
      throw error
    }
  }

  /** Lines of a service's log, the last `last` of them and then those to come. Ends with the daemon, or the signal. */
  async *logLines<T>(id: string, last: number, signal: AbortSignal): AsyncGenerator<T[]> {
    const response = await this.#fetch('GET', `${servicePath(id)}/logs?follow=1&last=${last}`, { signal })
    if (!response.ok || response.body === null) return
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    let rest = ''
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      const parts = `${rest}${decoder.decode(value, { stream: true })}`.split('\n')
      rest = parts.pop() ?? ''
      if (parts.length > 0) yield parts.map((part) => JSON.parse(part) as T)
    }
  }

  async #exchange<T>(method: string, path: string, body?: object): Promise<Result<T>> {
    try {
      const response = await this.#fetch(method, path, { body: body && JSON.stringify(body) })
      const document = (await response.json()) as T | ErrorDocument
      return response.ok ? ok(document as T) : { ok: false, failure: (document as ErrorDocument).error }
    } catch (error) {
      // What fetch and a cut-off answer reject with.
      if (!(error instanceof TypeError || error instanceof SyntaxError || error instanceof DOMException))
        throw error
      return fail('daemon-failed', 'devsock does not answer', 'try again when this page is connected')
    }
  }

  #fetch(method: string, path: string, init: RequestInit): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' }
    return fetch(path, { ...init, method, headers, cache: 'no-store', credentials: 'omit' })
  }
}

const servicePath = (id: string): string => `/v1/services/${id.split('/').map(encodeURIComponent).join('/')}`
