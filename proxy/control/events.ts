import type { IncomingMessage, Server } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import {
  type DevsockEvent,
  FAILURES,
  type Failure,
  fail,
  type LogBatch,
  ok,
  type Result,
} from '../protocol.ts'
import type { Projects } from '../services/projects.ts'
import { ANSWER_HEADERS } from './answer-headers.ts'
import type { Hub } from './hub.ts'
import { parse, SubscriptionBody } from './requests.ts'

const MAX_MESSAGE = 1024 * 1024

/** Bytes that a client may leave unread before it is dropped and told to come again. */
const MAX_BEHIND = 4 * 1024 * 1024

/** Bytes behind which a screen is told no more lines: nobody reads them, and it must not be dropped for them. */
const MAX_BATCHES_BEHIND = 512 * 1024

/** A client that connects and does not say what it wants is not kept. */
const FIRST_MESSAGE_MS = 10_000

/** RFC 6455: 1001 going away; 1008 policy violation; 1013 try again later (IANA's registry); 4401 is ours, of HTTP's 401. */
const GOING_AWAY = 1001
const NOT_UNDERSTOOD = 1008
const TOO_SLOW = 1013
const NOT_TRUSTED = 4401

/** Who may listen at a door, and as what. */
export interface Door {
  /** Whether an upgrade is answered. */
  admits(request: IncomingMessage): Result<null>
  /** Whether the first message comes from somebody who may hear events. */
  trusts(message: unknown): boolean
  /** Whether a stream may keep a project up. */
  leases: boolean
}

/** The control socket's: whoever can open it is the user. */
export const OPEN_DOOR: Door = { admits: () => ok(null), trusts: () => true, leases: true }

/** GET /v1/events: the client says what it wants, gets one snapshot, then events. */
export class EventStreams implements Disposable {
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
  })
  readonly #hub: Hub
  readonly #projects: Projects
  readonly #log: Logger

  constructor(hub: Hub, projects: Projects, log: Logger) {
    this.#hub = hub
    this.#projects = projects
    this.#log = log
    this.#server.on('wsClientError', (error, socket) =>
      refuse(socket, { code: 'usage', message: error.message, hint: null }),
    )
  }

  /** Answers the upgrades of a server. */
  serve(http: Server, door: Door): void {
    http.on('upgrade', (request, socket, head) => {
      const found = isEvents(request) ? ok(null) : fail('usage', 'there is nothing to upgrade to here')
      const admitted = found.ok ? door.admits(request) : found
      if (!admitted.ok) return refuse(socket, admitted.failure)
      this.#server.handleUpgrade(request, socket, head, (client) => {
        client.on('error', (error) => this.#log.debug({ error: String(error) }, 'an event stream failed'))
        const late = setTimeout(() => client.close(NOT_UNDERSTOOD, 'nothing was asked'), FIRST_MESSAGE_MS)
        client.on('close', () => clearTimeout(late))
        client.once('message', (data) => {
          clearTimeout(late)
          this.#subscribe(client, unlessBroken(String(data)), door)
        })
      })
    })
  }

  #subscribe(client: WebSocket, message: unknown, { trusts, leases }: Door): void {
    if (!trusts(message)) return client.close(NOT_TRUSTED, 'the token is missing or not the right one')
    const wants = parse(SubscriptionBody, message)
    if (!wants.ok) return client.close(NOT_UNDERSTOOD, wants.failure.message.slice(0, 120))
    /** Bytes that were not told, by service. */
    const owed = new Map<string, number>()
    const owe = ({ service, first, last, passed }: LogBatch): void => {
      owed.set(service, (owed.get(service) ?? 0) + passed + last - first)
    }
    const tell = (event: DevsockEvent): void => {
      if (client.readyState !== client.OPEN) return
      if (event.type === 'logs') {
        if (client.bufferedAmount > MAX_BATCHES_BEHIND) return owe(event)
        const passed = event.passed + (owed.get(event.service) ?? 0)
        owed.delete(event.service)
        return client.send(JSON.stringify({ ...event, passed }))
      }
      if (client.bufferedAmount > MAX_BEHIND) return client.close(TOO_SLOW, 'too slow: connect again')
      client.send(JSON.stringify(event))
    }
    const subscription = this.#hub.subscribe({ wants: wants.value, tell })
    const { lease: leased } = wants.value
    const project = leased === null || !leases ? null : this.#projects.get(leased)
    const lease = project?.lease(() => void this.#projects.down(project.id, false))
    client.on('close', () => {
      subscription[Symbol.dispose]()
      lease?.[Symbol.dispose]()
    })
  }

  /** Tells every client that it is over. */
  [Symbol.dispose](): void {
    for (const client of this.#server.clients) client.close(GOING_AWAY, 'devsock is stopping')
  }
}

const isEvents = ({ url = '/' }: IncomingMessage): boolean => url.split('?')[0] === '/v1/events'

function refuse(socket: Duplex, { code, message }: Failure): void {
  const { status } = FAILURES[code]
  const headers = {
    ...ANSWER_HEADERS,
    connection: 'close',
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(message) + 1,
  }
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}\r\n${message}\n`)
}

function unlessBroken(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
