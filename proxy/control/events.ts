import type { Server } from 'node:http'
import type { Logger } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import type { DevsockEvent } from '../protocol.ts'
import type { Projects } from '../services/projects.ts'
import type { Hub } from './hub.ts'
import { parse, SubscriptionBody } from './requests.ts'

const MAX_MESSAGE = 1024 * 1024

/** Bytes that a client may leave unread before it is dropped and told to come again. */
const MAX_BEHIND = 4 * 1024 * 1024

/** RFC 6455: 1008 policy violation; 1013 try again later (IANA's registry). */
const NOT_UNDERSTOOD = 1008
const TOO_SLOW = 1013

/** GET /v1/events: the client says what it wants, gets one snapshot, then events. */
export function serveEvents(http: Server, hub: Hub, projects: Projects, log: Logger): WebSocketServer {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE, perMessageDeflate: false })
  http.on('upgrade', (request, socket, head) => {
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== '/v1/events') return socket.destroy()
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => log.debug({ error: String(error) }, 'an event stream failed'))
      client.once('message', (data) => subscribe(client, String(data), hub, projects))
    })
  })
  return server
}

function subscribe(client: WebSocket, text: string, hub: Hub, projects: Projects): void {
  const wants = parse(SubscriptionBody, unlessBroken(text))
  if (!wants.ok) return client.close(NOT_UNDERSTOOD, wants.failure.message.slice(0, 120))
  const tell = (event: DevsockEvent): void => {
    if (client.readyState !== client.OPEN) return
    if (client.bufferedAmount > MAX_BEHIND) return client.close(TOO_SLOW, 'too slow: connect again')
    client.send(JSON.stringify(event))
  }
  const subscription = hub.subscribe({ wants: wants.value, tell })
  const project = wants.value.lease === null ? null : projects.get(wants.value.lease)
  const lease = project?.lease(() => void projects.down(project.id, false))
  client.on('close', () => {
    subscription[Symbol.dispose]()
    lease?.[Symbol.dispose]()
  })
}

function unlessBroken(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
