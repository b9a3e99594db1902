import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { duplicate } from '../../index.ts'
import { endEventStream, sayGoingAway, tellLastResponse } from './farewell.ts'
import * as node from './internals.ts'
import type { Mover } from './mover.ts'

/** A server with a slot, and the connections it has: in plain HTTP/1 they move, others are asked to come again. */
export class Served {
  readonly server: node.HttpServer
  readonly position: number
  readonly #mover: Mover
  /** Upgraded connections, with what was written to each before its server answered the upgrade. */
  readonly #webSockets = new Map<Socket, number>()
  readonly #sessions = new Set<ServerHttp2Session>()

  static can(server: Server): boolean {
    return node.connectionsOf(server) !== null || node.isHttp2(server)
  }

  constructor(server: Server, position: number, mover: Mover) {
    this.server = server as node.HttpServer
    this.position = position
    this.#mover = mover
    if (node.isHttp2(server)) server.on('session', (session: ServerHttp2Session) => this.#onSession(session))
    // A listener of ours alone would keep Node from answering upgrades as the requests that they are to it then.
    if (server.listenerCount('upgrade') > 0) server.prependListener('upgrade', this.#onUpgrade)
    else server.on('newListener', this.#onNewListener)
  }

  get accepts(): boolean {
    return this.server.listening && typeof this.server._handle?.onconnection === 'function'
  }

  /** Takes in a connection of another process, idle as it was there. */
  accept(fd: number): void {
    let accepted: node.ServerSocket | null = null
    const onConnection = (socket: node.ServerSocket): void => {
      accepted = socket
    }
    this.server.prependOnceListener('connection', onConnection)
    node.accept(this.server, fd)
    this.server.removeListener('connection', onConnection)
    if (accepted !== null) node.makeIdle(this.server, accepted)
  }

  /** Lets go of all that can be let go of now. */
  drain(): void {
    const connections = node.connectionsOf(this.server)
    const idle = new Set(connections?.idle())
    for (const { socket } of connections?.all() ?? []) this.settle(socket, idle)
    for (const session of this.#sessions) session.close()
    for (const [socket, written] of this.#webSockets) {
      if (socket.bytesWritten === written) continue
      this.#webSockets.delete(socket)
      sayGoingAway(socket)
    }
  }

  /** The same of one connection; `idle` are the parsers between two messages. */
  settle(socket: node.ServerSocket, idle = new Set(node.connectionsOf(this.server)?.idle())): void {
    const { parser, bytesRead } = socket
    // Nothing of a request was read that has not been answered.
    const isBetweenRequests = parser != null && (idle.has(parser) || bytesRead === 0)
    const isIdle = isBetweenRequests && node.hasWritten(socket)
    const response = socket._httpMessage
    if ('encrypted' in socket) {
      // What TLS knows of a connection cannot be given away.
      if (isIdle) socket.end()
      else if (response) tellLastResponse(response)
      return
    }
    if (isIdle) return this.#move(socket)
    if (isBetweenRequests) node.stopReading(socket)
    if (response) endEventStream(response)
  }

  #move(socket: node.ServerSocket): void {
    const fd = socket._handle?.fd
    if (fd === undefined || fd < 0) return
    node.stopReading(socket)
    const connection = duplicate(fd)
    // Closes this process's descriptor, and says nothing to the client.
    socket.destroy()
    this.#mover.move(this.position, connection)
  }

  #onSession(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
  }

  #onUpgrade = (request: IncomingMessage, socket: Socket): void => {
    if (this.server.listenerCount('upgrade') === 1) return void socket.destroy()
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') return
    this.#webSockets.set(socket, socket.bytesWritten)
    socket.once('close', () => this.#webSockets.delete(socket))
  }

  #onNewListener = (name: string): void => {
    if (name !== 'upgrade') return
    this.server.removeListener('newListener', this.#onNewListener)
    process.nextTick(() => this.server.prependListener('upgrade', this.#onUpgrade))
  }
}
