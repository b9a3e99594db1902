/** Answers that go on: JSON lines over the control socket, by Node's HTTP client, which knows whole from cut. */
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import type { Folders } from './folders.ts'
import { connectionLost, failureOf, isErrorDocument, parseJson, patiently } from './transport.ts'

/** A long answer of JSON lines, one at a time; ends with the answer, or when `signal` aborts. */
export async function* exchangeLines<T>(
  folders: Folders,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Result<T>> {
  const opened = await patiently(folders, 'GET', () => open(folders.controlSocket, path, signal))
  if (!opened.ok) return yield opened
  const response = opened.value
  try {
    if ((response.statusCode ?? 500) >= 400) return yield await refusal(response, path)
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

function open(socketPath: string, path: string, signal?: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, agent: false, signal }).on('response', resolve).on('error', reject).end()
  })
}

async function refusal(response: IncomingMessage, path: string): Promise<Result<never>> {
  const document = parseJson(await text(response))
  if (isErrorDocument(document)) return { ok: false, failure: document.error }
  return fail('internal', `The daemon refused ${path} with HTTP ${response.statusCode}.`)
}
