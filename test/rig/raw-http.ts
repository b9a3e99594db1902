import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  status: number
  /** Names in lower case. */
  headers: Map<string, string>
  body: string
}

/** Milliseconds for a whole exchange. */
const DEADLINE = 10_000

/**
 * Sends lines as they are, with headers that no well-behaved client would send, and reads until the other end
 * closes. `Connection: close` is added; status 0: closed without an answer.
 */
export async function rawHttp(port: number, lines: string[], body = ''): Promise<RawAnswer> {
  using socket = deadlined(connect(port, '127.0.0.1'))
  const more = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  socket.write([...lines, ...more, 'Connection: close', '', body].join('\r\n'))
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'close')
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [first = '', ...fields] = head.split('\r\n')
  const headers = fields.map((field): [string, string] => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  })
  return { status: Number(first.split(' ')[1] ?? 0), headers: new Map(headers), body: rest.join('\r\n\r\n') }
}

function deadlined(socket: Socket): Socket & Disposable {
  socket.setTimeout(DEADLINE, () => socket.destroy(new Error(`no answer in ${DEADLINE} ms`)))
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() })
}
