import { on } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { DevsockEvent, Subscription } from '../proxy/protocol.ts'
import type { Folders } from './folders.ts'
import { isHolderAlive } from './transport.ts'

/** The daemon went away; a snapshot comes when it is back, and says all that happened in between. */
export interface StreamLost {
  type: 'lost'
}

export type StreamItem = DevsockEvent | StreamLost

const RETRY_MS = 50

/**
 * Events as they come, first a snapshot. The holder starts a daemon that died again, so the stream connects
 * again, with its lease; it ends when `signal` aborts or when the holder has gone too.
 */
export async function* followEvents(
  folders: Folders,
  subscription: Subscription,
  signal: AbortSignal,
): AsyncGenerator<StreamItem> {
  for (;;) {
    let seen = false
    try {
      for await (const event of readEvents(folders, subscription, signal)) {
        seen = true
        yield event
      }
    } catch (error) {
      if (signal.aborted) return
      // ENOENT, ECONNREFUSED, a socket that hung up during the upgrade: all say that it is not there now.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
    }
    if (signal.aborted) return
    if (seen) yield { type: 'lost' }
    if (!(await isHolderAlive(folders))) return
    await delay(RETRY_MS)
  }
}

async function* readEvents(
  { controlSocket }: Folders,
  subscription: Subscription,
  signal: AbortSignal,
): AsyncGenerator<DevsockEvent> {
  const socket = new WebSocket('ws://localhost/v1/events', {
    // A ws+unix: URL would end the path at its first colon.
    createConnection: () => connect(controlSocket),
    perMessageDeflate: false,
  })
  // An error is told by `on`, too; one that comes when nobody reads any more is nobody's.
  socket.on('error', () => {})
  const messages = on(socket, 'message', { close: ['close'], signal })
  socket.on('open', () => socket.send(JSON.stringify(subscription)))
  try {
    for await (const [data] of messages) yield JSON.parse(String(data)) as DevsockEvent
  } finally {
    // close() would wait up to 30 s for a daemon that is just leaving to say goodbye.
    socket.terminate()
  }
}
