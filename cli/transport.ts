/**
 * HTTP over the control socket. A daemon that its holder is just starting again looks like none for a
 * moment; so where the holder lives, a refused connection is tried again until `patience` ends.
 */
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
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
  const opened = await open(folders, method, path, options)
  if (!opened.ok) return opened
  const text = await readAll(opened.value)
  if (!text.ok) return text
  const document = parseJson(text.value)
  if ((opened.value.statusCode ?? 500) < 400 && document !== undefined) return ok(document as T)
  if (isErrorDocument(document)) return { ok: false, failure: document.error }
  return fail(
    'internal',
    `The daemon gave an answer that makes no sense (HTTP ${opened.value.statusCode}, ${method} ${path}).`,
    'devsock daemon logs',
  )
}

/** A long answer of JSON lines, one at a time; ends with the answer, or when `signal` aborts. */
export async function* exchangeLines<T>(
  folders: Folders,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Result<T>> {
  const opened = await open(folders, 'GET', path, { timeoutMs: null, signal })
  if (!opened.ok) return yield opened
  const response = opened.value
  if ((response.statusCode ?? 500) >= 400) {
    const text = await readAll(response)
    const document = text.ok ? parseJson(text.value) : undefined
    return yield isErrorDocument(document)
      ? { ok: false, failure: document.error }
      : fail('internal', `The daemon refused ${path} with HTTP ${response.statusCode}.`)
  }
  try {
    let rest = ''
    response.setEncoding('utf8')
    for await (const chunk of response) {
      const lines = `${rest}${chunk}`.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const document = parseJson(line)
        if (document !== undefined) yield ok(document as T)
      }
    }
    if (!response.complete && !signal?.aborted) yield connectionLost()
  } catch (error) {
    if (!signal?.aborted) yield failureOf(error)
  } finally {
    response.destroy()
  }
}

async function open(
  folders: Folders,
  method: Method,
  path: string,
  options: RequestOptions,
): Promise<Result<IncomingMessage>> {
  const patienceEnds = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return ok(await send(folders.controlSocket, method, path, options))
    } catch (error) {
      if (!isNobodyThere(error) && !(method === 'GET' && isCut(error))) return failureOf(error)
      if (Date.now() > patienceEnds || !(await isHolderAlive(folders))) return NOT_RUNNING
      await delay(RETRY_MS)
    }
  }
}

function send(
  socketPath: string,
  method: Method,
  path: string,
  options: RequestOptions,
): Promise<IncomingMessage> {
  const { body, signal, timeoutMs = ANSWER_MS } = options
  const payload = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false, signal })
    if (timeoutMs !== null) {
      // setTimeout() of a request counts from its last byte; this one is for all of it.
      const timer = setTimeout(() => outgoing.destroy(new AnswerTimeout(timeoutMs)), timeoutMs)
      outgoing.on('close', () => clearTimeout(timer))
    }
    outgoing.on('response', resolve)
    outgoing.on('error', reject)
    if (payload !== undefined) outgoing.setHeader('content-type', 'application/json')
    outgoing.end(payload)
  })
}

class AnswerTimeout extends Error {
  readonly ms: number
  constructor(ms: number) {
    super(`no answer within ${ms} ms`)
    this.ms = ms
  }
}

async function readAll(response: IncomingMessage): Promise<Result<string>> {
  try {
    let text = ''
    response.setEncoding('utf8')
    for await (const chunk of response) text += chunk
    return ok(text)
  } catch (error) {
    return failureOf(error)
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

const connectionLost = (): Result<never> =>
  fail('daemon-failed', 'The daemon ended before it had answered.', 'devsock daemon logs')

function failureOf(error: unknown): Result<never> {
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const isErrorDocument = (document: unknown): document is ErrorDocument =>
  typeof (document as Partial<ErrorDocument> | undefined)?.error?.code === 'string'
