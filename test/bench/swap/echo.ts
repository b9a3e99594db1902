import { WebSocket } from 'ws'
import type { Answer } from '../../rig/load.ts'

/** Codes with which a server says that it goes (RFC 6455, 7.4.1; 1012 is IANA's "service restart"). */
const GOING = new Set([1000, 1001, 1012])

/**
 * A WebSocket client that says one thing at a time and hears it answered. Where the server closed the connection,
 * in order or not, it connects again with the next message. A message that is lost by a cut connection is lost;
 * what a server did not answer before it closed in order is said again.
 */
export class Echo {
  readonly #port: number
  readonly #deadline: number
  #socket: WebSocket | null = null

  constructor(port: number, deadline: number) {
    this.#port = port
    this.#deadline = deadline
  }

  async ask(): Promise<Answer> {
    for (;;) {
      const socket = this.#socket ?? (await this.#connect())
      const begun = performance.now()
      const body = await said(socket, this.#deadline)
      if (body !== null) return { status: 200, body, begun }
    }
  }

  async #connect(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/`, { handshakeTimeout: this.#deadline })
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    this.#socket = socket
    socket.on('error', () => undefined) // `close` follows, and says the same
    socket.once('close', () => {
      this.#socket = null
    })
    return socket
  }
}

/** The answer; null where the server closed in order before it gave one. */
function said(socket: WebSocket, deadline: number): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => over(() => reject(failure('ETIMEDOUT'))), deadline)
    const onMessage = (data: unknown) => over(() => resolve(String(data)))
    const onClose = (code: number) =>
      over(() => (GOING.has(code) ? resolve(null) : reject(failure('ECONNRESET'))))
    const over = (settle: () => void) => {
      clearTimeout(timer)
      socket.off('message', onMessage).off('close', onClose)
      settle()
    }
    socket.once('message', onMessage).once('close', onClose)
    if (socket.readyState === WebSocket.OPEN) socket.send('?')
  })
}

const failure = (code: string) => Object.assign(new Error(code), { code })
