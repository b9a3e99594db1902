/**
 * HTTP over the control socket, a request a connection. Spoken here by hand, as HTTP/1.0, where an answer is what
 * comes until its end: Node's own client takes 6 ms to load, and `status` has 20 in all. A daemon that its holder
 * is just starting again looks like none for a moment; so where the holder lives, a refused connection is tried
 * again until `patience` ends.
 */
import { connect } from 'node:net'
import { type ErrorDocument, fail, ok, type Result } from '../proxy/protocol.ts'
import type { Folders } from './folders.ts'

export type Method = 'GET' | 'POST' | 'DELETE'

export interface RequestOptions {
  body?: unknown
  /** Milliseconds until the whole answer must be there; null: as long as it takes. */
  timeoutMs?: number | null
  signal?: AbortSignal
}

const ANSWER_MS = 10_000
/** A holder starts its daemon again within a second; five on a machine that is busy. */
const PATIENCE_MS = 5_000
const RETRY_MS = 40

export const NOT_RUNNING = fail('not-up', 'devsock is not running; nothing is up.', 'devsock up')

/** One request, its JSON answer. `not-up` where no daemon listens. */
export async function exchange<T>(
  folders: Folders,
  method: Method,
  path: string,
  options: RequestOptions = {},
): Promise<Result<T>> {
  const answered = await patiently(folders, method, () => send(folders.controlSocket, method, path, options))
  if (!answered.ok) return answered
  const { status, body } = answered.value
  const document = parseJson(body)
  if (status < 400 && document !== undefined) return ok(document as T)
  if (isErrorDocument(document)) return { ok: false, failure: document.error }
  return fail(
    'internal',
    `The daemon gave an answer that makes no sense (HTTP ${status}, ${method} ${path}).`,
    'devsock daemon logs',
  )
}

/** Tries again while there is a holder, which starts the daemon again; every other error becomes a failure. */
export async function patiently<T>(
  folders: Folders,
  method: Method,
  attempt: () => Promise<T>,
): Promise<Result<T>> {
  const patienceEnds = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return ok(await attempt())
    } catch (error) {
      if (!isNobodyThere(error) && !(method === 'GET' && isCut(error))) return failureOf(error)
      if (Date.now() > patienceEnds || !(await isHolderAlive(folders))) return NOT_RUNNING
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

interface Answer {
  status: number
  body: string
}

function send(socketPath: string, method: Method, path: string, options: RequestOptions): Promise<Answer> {
  const { body, signal, timeoutMs = ANSWER_MS } = options
  const payload = body === undefined ? '' : JSON.stringify(body)
  const head = [`${method} ${path} HTTP/1.0`, 'host: localhost', 'content-type: application/json']
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const socket = connect(socketPath)
    const abort = (): void => void socket.destroy(signal?.reason)
    const timer =
      timeoutMs === null
        ? undefined
        : setTimeout(() => socket.destroy(new AnswerTimeout(timeoutMs)), timeoutMs)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      const answer = parseAnswer(Buffer.concat(chunks))
      if (answer) resolve(answer)
      else reject(Object.assign(new Error('the answer was cut off'), { code: 'ECONNRESET' }))
    })
    signal?.addEventListener('abort', abort)
    socket.write(`${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`)
  })
}

/** Null where it is not whole: the daemon gives every answer but a stream its length. */
function parseAnswer(bytes: Buffer): Answer | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return null
  const head = bytes.toString('latin1', 0, end)
  const body = bytes.subarray(end + 4)
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (status === undefined || (length !== undefined && Number(length) !== body.length)) return null
  return { status: Number(status), body: body.toString() }
}

class AnswerTimeout extends Error {
  readonly ms: number
  constructor(ms: number) {
    super(`no answer within ${ms} ms`)
    this.ms = ms
  }
}

/**
 * Whether a holder listens. Its socket is SOCK_SEQPACKET, so a stream can never connect: the kernel says
 * EPROTOTYPE when somebody listens there, and ECONNREFUSED when the file was left behind (unix(7)).
 */
export function isHolderAlive({ holderSocket }: Folders): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(holderSocket)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EPROTOTYPE'))
  })
}

const isNobodyThere = (error: unknown): boolean =>
  ['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')

/** By a daemon that ended before it had answered: nobody is there, or the next one in a moment. */
const isCut = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')

export const connectionLost = (): Result<never> =>
  fail('daemon-failed', 'The daemon ended before it had answered.', 'devsock daemon logs')

export function failureOf(error: unknown): Result<never> {
  if (error instanceof AnswerTimeout) {
    return fail(
      'daemon-failed',
      `The daemon gave no answer within ${error.ms / 1000} s.`,
      'devsock daemon restart',
    )
  }
  const { code, message, name } = error as NodeJS.ErrnoException
  if (isCut(error)) return connectionLost()
  if (name === 'AbortError') return fail('interrupted', 'Interrupted.')
  if (code === undefined) throw error
  return fail('daemon-failed', `Cannot talk to the daemon: ${message}.`, 'devsock daemon logs')
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export const isErrorDocument = (document: unknown): document is ErrorDocument =>
  typeof (document as Partial<ErrorDocument> | undefined)?.error?.code === 'string'
