import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { eventually } from './eventually.ts'

/** One connection, written to and read from as it is. */
export class Wire implements Disposable {
  readonly socket: Socket
  received = ''
  /** How it ended: `end`, or the error's code; null while it is open. */
  ended: string | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
    })
    socket.on('end', () => {
      this.ended ??= 'end'
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ended ??= error.code ?? error.message
    })
  }

  static async open(target: { port: number } | { path: string }): Promise<Wire> {
    const wire = new Wire(connect({ ...target, ...('port' in target && { host: '127.0.0.1' }) }))
    await once(wire.socket, 'connect')
    return wire
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** A request, and its answer's body. */
  async ask(path = '/'): Promise<string> {
    this.send(get(path))
    return this.answer()
  }

  /** The body of the next answer, which is taken from what was received; of one with Content-Length. */
  answer(): Promise<string> {
    return this.take(/^HTTP\/1\.1 [2-5].*\r\n(?:.+\r\n)*?content-length: (\d+)\r\n(?:.+\r\n)*\r\n/i)
  }

  /** What comes after that head, as long as its first group says (without one: nothing). */
  async take(head: RegExp): Promise<string> {
    const found = await eventually(
      () => {
        const match = head.exec(this.received)
        const end = match === null ? 0 : match.index + match[0].length + Number(match[1] ?? 0)
        if (match === null || end > this.received.length) return null
        return { from: match.index + match[0].length, end }
      },
      { what: String(head), dump: async () => JSON.stringify([this.received.slice(-500), this.ended]) },
    )
    const body = this.received.slice(found.from, found.end)
    this.received = this.received.slice(found.end)
    return body
  }

  /** How it ended, once it has. */
  end(): Promise<string> {
    return eventually(() => this.ended, { what: 'the end of a connection' })
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
