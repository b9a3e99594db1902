import type { RequestListener } from 'node:http'
import type { Descriptor } from '../../native/index.ts'
import { Acceptor } from './acceptor.ts'

/** A client that sends nothing gets no longer than this. */
const HEADERS_TIMEOUT_MS = 10_000

/** Answers on a slot in place of a server that is not there. What is not HTTP is closed. */
export class Answerer extends Acceptor {
  constructor(slot: Descriptor, watch: () => Promise<void>, answer: RequestListener) {
    super(slot, watch, { keepAlive: false, headersTimeout: HEADERS_TIMEOUT_MS }, answer)
    this.http.on('upgrade', (_request, socket) => socket.destroy())
  }
}
