/**
 * What is needed of Node beyond its documentation. All of it is looked for before it is used: where a Node is
 * otherwise, its server is left alone.
 */

import type { ServerResponse } from 'node:http'
import { type Server, Socket } from 'node:net'

/** TCP or Pipe of libuv; in a worker of a cluster that shares by turns, an object in the place of a listener. */
export interface Handle {
  readonly fd?: number
  readonly writeQueueSize?: number
  readStop?(): number
  readStart?(): number
  close?(): void
  onconnection?(this: Handle, status: number, client: Handle | undefined): void
}

/** llhttp, as an HTTP server has one for each connection. */
export interface Parser {
  execute(bytes: Uint8Array): unknown
  readonly constructor: { kOnMessageBegin: number; kOnHeadersComplete: number; kOnMessageComplete: number }
  /** Callbacks, by those numbers. */
  [callback: number]: unknown
}

export type ServerSocket = Socket & {
  _handle: Handle | null
  parser?: Parser | null
  /** The response that is being written. */
  _httpMessage?: ServerResponse | null
}

export type HttpServer = Server & {
  _handle: Handle | null
  timeout: number
  keepAliveTimeout: number
}

/** The connections of an HTTP/1 server, by their parsers. */
export interface Connections {
  all(): (Parser & { socket: ServerSocket })[]
  /** Those between two messages; one that was never read from is among them in some versions (26), not in others. */
  idle(): Parser[]
}

/** The list that Node's HTTP/1 servers keep; null for others, and before `listening`. */
export function connectionsOf(server: Server): Connections | null {
  const key = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  )
  return key === undefined ? null : ((Reflect.get(server, key) as ReturnType<typeof connectionsOf>) ?? null)
}

/** All that was answered is with the kernel. */
export function hasWritten({
  _handle: handle,
  writable,
  writableLength,
  _httpMessage,
}: ServerSocket): boolean {
  return writable && writableLength === 0 && handle?.writeQueueSize === 0 && !_httpMessage
}

/** What it is sent from now on stays with the kernel, whoever asks to read on. */
export function stopReading({ _handle: handle }: ServerSocket): void {
  if (!handle?.readStop) return
  handle.readStop()
  handle.readStart = () => 0
}

/** Hands a connection to a server as if it had just accepted it: its counts, options and events are Node's own. */
export function accept(server: HttpServer, fd: number): void {
  const { _handle: listener } = server
  // A Socket knows which kind of handle a descriptor needs; it is only asked for that.
  const maker = new Socket({
    fd,
    readable: false,
    writable: false,
    manualStart: true,
  } as object) as ServerSocket
  const handle = maker._handle
  maker._handle = null
  if (handle !== null) listener?.onconnection?.(0, handle)
}

/** Without loading `http2` in a process that has no use for it. */
export const isHttp2 = (server: Server): boolean => /^Http2(Secure)?Server$/.test(server.constructor.name)

const REQUEST = Buffer.from('GET / HTTP/1.1\r\n\r\n')

/**
 * Makes a connection that was just accepted as idle as one that has had a request: Node closes it after
 * keepAliveTimeout and with closeIdleConnections(), and does not count headersTimeout before its next byte. The
 * parser reads a request that nobody is told of.
 */
export function makeIdle(server: HttpServer, socket: ServerSocket): void {
  const { parser } = socket
  if (!parser) return
  const { kOnMessageBegin, kOnHeadersComplete, kOnMessageComplete } = parser.constructor
  const [onHeaders, onComplete] = [parser[kOnHeadersComplete], parser[kOnMessageComplete]]
  parser[kOnHeadersComplete] = parser[kOnMessageComplete] = undefined
  parser.execute(REQUEST)
  parser[kOnHeadersComplete] = onHeaders
  parser[kOnMessageComplete] = onComplete
  if (!server.keepAliveTimeout) return
  socket.setTimeout(server.keepAliveTimeout)
  parser[kOnMessageBegin] = () => {
    parser[kOnMessageBegin] = null
    socket.setTimeout(server.timeout || 0)
  }
}
