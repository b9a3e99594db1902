import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'

export interface RequestOptions {
  method?: string
  headers?: Record<string, string>
  body?: string
  /** Milliseconds for the whole exchange; 10 s unless said. */
  deadline?: number
  host?: string
  /** A unix socket in place of host and port. */
  socketPath?: string
  /** Whose connection it takes; unless said, one of its own. */
  agent?: Agent
}

export interface Response {
  status: number
  headers: IncomingHttpHeaders
  body: string
  json(): unknown
}

/** One request; rejects as node:http does (`ECONNREFUSED`, `ECONNRESET`, …). */
export function request(port: number, path = '/', options: RequestOptions = {}): Promise<Response> {
  const { method = 'GET', headers = {}, body, deadline = 10_000, host = '127.0.0.1', socketPath } = options
  const { agent = false } = options
  const target = socketPath ? { socketPath } : { host, port }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ ...target, path, method, headers, agent }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: text,
          json: () => JSON.parse(text),
        })
      })
    })
    const timer = setTimeout(() => {
      outgoing.destroy(
        Object.assign(new Error(`no answer to ${method} ${path} in ${deadline} ms`), { code: 'ETIMEDOUT' }),
      )
    }, deadline)
    outgoing.on('close', () => clearTimeout(timer))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
