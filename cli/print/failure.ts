import {
  API_VERSION,
  type ErrorDocument,
  type Failure,
  type PortOwner,
  type Problem,
} from '../../proxy/protocol.ts'
import type { Paint } from './paint.ts'
import { formatPath } from './paths.ts'
import { sanitizeLine } from './sanitize.ts'

export const errorDocument = (failure: Failure): ErrorDocument => ({ v: API_VERSION, error: failure })

/** What, why, what to do: a line each. Problems and owners of ports one a line in between. */
export function formatFailure(failure: Failure, cwd: string, paint: Paint): string[] {
  const lines = [`${paint('red', 'error')}: ${safe(failure.message)}`]
  for (const problem of failure.problems ?? []) lines.push(...formatProblem(problem, cwd, paint))
  for (const { service, address, owner } of failure.owners ?? []) {
    lines.push(
      `  ${safe(service)}  ${safe(address)}  ${owner ? formatOwner(owner) : 'owner not visible to you'}`,
    )
  }
  if (failure.hint) lines.push(...failure.hint.split('\n').map(safe))
  return lines
}

/** `devsock.config.ts:4:7 services.api.listn: unknown key` and its hint, if it has one. */
export function formatProblem(problem: Problem, cwd: string, paint: Paint): string[] {
  const place = [problem.file && formatPath(problem.file, cwd), problem.line, problem.column]
  const where = place.filter((part) => part !== null && part !== '').join(':')
  const parts = [where && paint('bold', where), problem.path && `${problem.path}:`, problem.message]
  const lines = [`  ${parts.filter(Boolean).join(' ')}`]
  if (problem.hint) lines.push(`    ${problem.hint}`)
  return lines
}

/** `pid 4242  node server.js  in ~/shop  (ann)` */
export function formatOwner({ pid, command, cwd, user }: PortOwner): string {
  return safe(`pid ${pid}  ${command}${cwd ? `  in ${formatPath(cwd)}` : ''}  (${user})`)
}

const safe = (text: string): string => sanitizeLine(text.replaceAll('\n', ' '), { colours: false })
