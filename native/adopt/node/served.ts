import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { duplicate } from '../../index.ts'
import { endEventStream, sayGoingAway, tellLastResponse } from './farewell.ts'
import * as node from './internals.ts'
import type { Mover } from './mover.ts'
import { quietly } from './quietly.ts'

/** From a TLS handshake to the first request. */
const FIRST_REQUEST_MS = 1_000

/** A server with a slot, and the connections it has: in plain HTTP/1 they move, others are asked to come again. */
export class Served {
  readonly server: node.HttpServer
  readonly position: number
  readonly #mover: Mover
  /** Upgraded connections, with what was written to each before its server answered the upgrade. */
  readonly #webSockets = new Map<Socket, number>()
  readonly #sessions = new Set<ServerHttp2Session>()
  /** TLS connections that end unless a request comes. */
  readonly #ending = new WeakSet<node.ServerSocket>()
  #isDraining = false

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
    if (!this.#isDraining) this.#divert()
    this.#isDraining = true
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
      if (response) tellLastResponse(response)
      else if (isIdle) this.#endUnlessUsed(socket)
      return
    }
    if (isIdle) return this.#move(socket)
    if (isBetweenRequests) node.stopReading(socket)
    if (response) endEventStream(response)
  }

  /** What is accepted from now on is of the next generation: its server, TLS or not, has seen nothing of it. */
  #divert(): void {
    const { _handle: listener } = this.server
    const onConnection = listener?.onconnection
    if (!listener || !onConnection) return
    listener.onconnection = (status, client) => {
      let isGiven = false
      quietly(() => {
        isGiven = client !== undefined && this.#give(client)
      })
      if (isGiven) client?.close?.()
      else onConnection.call(listener, status, client)
    }
  }

  #move(socket: node.ServerSocket): void {
    if (!socket._handle) return
    node.stopReading(socket)
    // Closes this process's descriptor, and says nothing to the client.
    if (this.#give(socket._handle)) socket.destroy()
  }

  #give({ fd = -1 }: node.Handle): boolean {
    if (fd < 0) return false
    this.#mover.move(this.position, duplicate(fd))
    return true
  }

  /**
   * A request may be with the kernel and not read yet: nobody who has sent one is left without an answer. One that
   * was never used has come for a request, which comes after the handshake.
   */
  #endUnlessUsed(socket: node.ServerSocket): void {
    if (this.#ending.has(socket)) return
    this.#ending.add(socket)
    const { bytesRead } = socket
    const end = (): void => {
      if (socket.bytesRead === bytesRead) socket.end()
      else this.#ending.delete(socket)
    }
    if (bytesRead === 0) setTimeout(quietly, FIRST_REQUEST_MS, end).unref()
    // All that is readable has been read when the loop has gone round once.
    else setImmediate(() => setImmediate(quietly, end))
  }

  /** One that had been sent by the time this drains. */
  onLateRequest(response: ServerResponse): void {
    if ('encrypted' in response.req.socket) tellLastResponse(response)
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
