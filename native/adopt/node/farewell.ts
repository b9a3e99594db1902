/** How connections that cannot be moved are asked to come again. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** RFC 6455, 5.5.1: a close frame, not masked, with status 1012, "service restart". */
const GOING_AWAY = Buffer.from([0x88, 2, 1012 >> 8, 1012 & 0xff])

/**
 * A frame between those of the program: it writes each of its own at once. Nothing may follow it, and the program
 * answers the client's close frame with one of its own, for which Chromium calls the first one an error.
 */
export function sayGoingAway(webSocket: Socket): void {
  if (!webSocket.writable) return
  webSocket.write(GOING_AWAY)
  const end = webSocket.end.bind(webSocket)
  webSocket.write = (...written: unknown[]) => {
    const done = written.at(-1)
    if (typeof done === 'function') process.nextTick(() => done())
    return true
  }
  webSocket.end = () => end()
}

/** `Connection: close`, where it can still be said. */
export function tellLastResponse(response: ServerResponse): void {
  if (!response.headersSent) response.shouldKeepAlive = false
}

/** A clean end: an EventSource connects again. What the program still writes to it is for nobody. */
export function endEventStream(response: ServerResponse): void {
  const { headersSent, writableEnded } = response
  const head: unknown = Reflect.get(response, '_header')
  if (!headersSent || writableEnded || !/^content-type: *text\/event-stream/im.test(String(head))) return
  response.on('error', () => undefined)
  response.end()
  response.write = () => true
  response.end = () => response
}
