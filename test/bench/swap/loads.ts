import { Agent, get } from 'node:http'
import type { Answer } from '../../rig/load.ts'
import { request } from '../../rig/request.ts'
import { BIG } from './apps.ts'
import { Echo } from './echo.ts'

export const loads = [
  'new connections',
  'keep-alive',
  '150 ms',
  '150 ms, keep-alive',
  '1 MB',
  'WebSocket',
] as const
export type LoadName = (typeof loads)[number]

/** Clients that keep their connection. */
const CLIENTS = 40
/** Milliseconds after which a request counts as lost. */
const DEADLINE = 10_000

/** More than any version has. */
const VERSION_BYTES = 12

type Ask = () => Promise<Answer>

/** What sends one request of that load. */
export function asker(load: LoadName, port: number): Ask {
  switch (load) {
    case 'new connections':
      return () => request(port, '/', { deadline: DEADLINE })
    case 'keep-alive':
      return inTurn(() => kept(port, '/'))
    case '150 ms':
      return () => request(port, '/slow', { deadline: DEADLINE })
    case '150 ms, keep-alive':
      return inTurn(() => kept(port, '/slow'))
    case '1 MB':
      return () => big(port)
    case 'WebSocket':
      return inTurn(() => {
        const echo = new Echo(port, DEADLINE)
        return () => echo.ask()
      })
  }
}

/** Each request goes to the next client, which sends it when its one before was answered. */
function inTurn(client: () => Ask): Ask {
  const clients = Array.from({ length: CLIENTS }, () => {
    const ask = client()
    let last: Promise<unknown> = Promise.resolve()
    return () => {
      const answer = last.then(async () => {
        const begun = performance.now()
        return { begun, ...(await ask()) }
      })
      last = answer.catch(() => undefined)
      return answer
    }
  })
  let next = 0
  return () => {
    const ask = clients[next++ % CLIENTS]
    if (!ask) throw new Error('no clients')
    return ask()
  }
}

function kept(port: number, path: string): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return () => request(port, path, { agent, deadline: DEADLINE })
}

/** Counts the bytes and keeps the first ones: a client that copies each megabyte would measure itself. */
function big(port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = get({ port, host: '127.0.0.1', path: '/big', agent: false }, (response) => {
      let body = ''
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        if (bytes === 0) body = chunk.toString('latin1', 0, VERSION_BYTES).trim()
        bytes += chunk.length
      })
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0 } = response
        // An answer that ends early, but well, is none.
        if (status === 200 && bytes !== BIG) return reject(new Error(`${bytes} of ${BIG} bytes`))
        resolve({ status, body })
      })
    })
    asked.setTimeout(DEADLINE, () => asked.destroy(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })))
    asked.on('error', reject)
  })
}
