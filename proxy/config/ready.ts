import { milliseconds } from './duration.ts'
import type { Path } from './locate.ts'
import type { FullService } from './merge.ts'
import type { Report } from './problems.ts'
import type { Ready } from './types.ts'

const READY_MS = 30_000

/** When a generation counts as ready. What is wrong with that is reported. */
export function resolveReady(written: FullService, worker: boolean, path: Path, report: Report): Ready {
  const { notify, log, http, timeout } = written.ready ?? {}
  const timeoutMs = milliseconds(timeout, READY_MS)
  const at: Path = [...path, 'ready']
  const kinds = [
    notify ? 'notify' : null,
    log === undefined ? null : 'log',
    http === undefined ? null : 'http',
  ]
  const given = kinds.filter((kind) => kind !== null)
  if (given.length > 1)
    report({ path: at, message: `only one of ${given.join(', ')} can be meant`, hint: 'remove the others' })
  if (notify) return { kind: 'notify', timeoutMs }
  if (log !== undefined) {
    const problem = regexProblem(log)
    if (problem !== null)
      report({ path: [...at, 'log'], message: `bad regular expression: ${problem}`, hint: null })
    return { kind: 'log', pattern: log, timeoutMs }
  }
  if (http !== undefined) {
    if (worker)
      report({
        path: [...at, 'http'],
        message: 'without a socket there is nothing to ask',
        hint: 'use `log` or `notify`',
      })
    return { kind: 'http', path: http, timeoutMs }
  }
  return { kind: 'accept', timeoutMs }
}

function regexProblem(pattern: string): string | null {
  try {
    new RegExp(pattern)
    return null
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return error.message.replace(/^Invalid regular expression: /, '')
  }
}
