import type { Problem } from '../protocol.ts'
import { locate, type Path, type Position } from './locate.ts'

/** Something wrong with a configuration, before its place in a file is known. */
export interface Complaint {
  path: Path
  message: string
  hint: string | null
  /** What the place should show: the key itself (unknown, wrong name) or what it is set to. Default: value. */
  at?: 'key' | 'value'
  /** A place of its own, outside of the configuration: a line of an envFile. */
  place?: { file: string } & Partial<Position>
  /** It is right, and has to wait for a later version. */
  later?: true
}

/** Takes a complaint; whoever reports goes on, so that all problems come at once. */
export type Report = (complaint: Complaint) => void

/** One file of a configuration. */
export interface Source {
  file: string
  text: string
  /** Keys above the configuration in its file: `devsock` in package.json. */
  root: Path
}

/**
 * Gives each complaint its place: in the file that says most about its path. Where two say the same, the
 * later one, which is merged over the earlier, is the one to look at. Ordered by file and line.
 */
export function placed(complaints: readonly Complaint[], sources: readonly Source[]): Problem[] {
  const problems = complaints.map((complaint) => place(complaint, sources))
  const order = new Map(sources.map((source, index) => [source.file, index]))
  const rank = (problem: Problem): number => order.get(problem.file ?? '') ?? sources.length
  return problems.sort(
    (a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  )
}

function place(complaint: Complaint, sources: readonly Source[]): Problem {
  const { message, hint, path, at = 'value' } = complaint
  const problem = { message, hint, path: printPath(path) }
  if (complaint.place) {
    const { file, line = null, column = null } = complaint.place
    return { ...problem, file, line, column }
  }
  let best: (Position & { file: string; depth: number; text: string }) | null = null
  for (const { file, text, root } of sources) {
    const found = locate(text, [...root, ...path], at)
    const depth = found ? found.depth - root.length : -1
    if (found && depth >= (best?.depth ?? 0)) best = { ...found, file, depth, text }
  }
  const file = best?.file ?? sources[0]?.file ?? null
  const line = best === null || path.includes('env') ? null : lineOf(best.text, best.line)
  return {
    ...problem,
    file,
    line: best?.line ?? null,
    column: best?.column ?? null,
    ...(line !== null && { text: line }),
  }
}

/** Longer ones are no line that a person wrote. */
const LONGEST = 160

/** Null where it may show what somebody put into `env`: that reaches no page and no log. */
function lineOf(text: string, number: number): string | null {
  const line = text.split('\n')[number - 1]?.trimEnd() ?? ''
  return line === '' || line.length > LONGEST || /env/i.test(line) ? null : line
}

/** `services.api.listen[0]`; keys that are no plain word are quoted. */
export function printPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`
      if (!/^[\w$-]+$/.test(step)) return `[${JSON.stringify(step)}]`
      return index === 0 ? step : `.${step}`
    })
    .join('')
}
