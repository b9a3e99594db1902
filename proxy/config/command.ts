import type { Path } from './locate.ts'
import type { Report } from './problems.ts'
import { shellArguments } from './shell-command.ts'

export interface Command {
  /** As the person wrote it, for print. */
  text: string
  argv: string[]
}

/** What `command` runs; null if it is none, which is reported. */
export function resolveCommand(
  written: string | string[] | undefined,
  path: Path,
  report: Report,
): Command | null {
  const wrong = (message: string, hint: string | null): null => {
    report({ path: [...path, 'command'], message, hint })
    return null
  }
  if (written === undefined)
    return wrong('is missing', 'write what starts the service: command: "npm run dev"')
  const [program = ''] = typeof written === 'string' ? [written] : written
  if (program.trim() === '') return wrong('is empty', 'write what starts the service: command: "npm run dev"')
  const text = typeof written === 'string' ? written : written.map(quoted).join(' ')
  // execve(2) takes strings that end with a NUL.
  if (text.includes('\0')) return wrong('a command cannot hold a NUL', null)
  return { text, argv: typeof written === 'string' ? shellArguments(written) : written }
}

/** An argument as one would type it in sh. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`
}
