/** Whose next process can be booted ahead: `node FILE`, which reads nothing of the project before FILE itself. */
import { basename } from 'node:path'
import type { Path } from './locate.ts'
import type { Report } from './problems.ts'
import type { Ahead, ResolvedService } from './types.ts'

type Started = Pick<ResolvedService, 'argv' | 'sockets' | 'adopt' | 'reload'>

/** Options of node(1) that read no file before the program does, and take no port. */
const HARMLESS =
  /^--(?:enable-source-maps|no-warnings|no-deprecation|trace-[\w-]+|stack-trace-limit=\d+|max-[\w-]+=\d+|experimental-strip-types|experimental-transform-types|throw-deprecation|unhandled-rejections=\w+)$/

/** The first option that does more than that. */
export const peculiarOption = (options: readonly string[]): string | null =>
  options.find((option) => !HARMLESS.test(option)) ?? null

/** Of a service that is started like that; without being asked for, where nothing hinders it. */
export function resolveStandby(
  written: boolean | readonly string[] | undefined,
  started: Started,
  path: Path,
  report: Report,
): Ahead | null {
  if (written === false) return null
  const hindrance = standbyHindrance(started)
  if (hindrance === null)
    return { packages: typeof written === 'object' ? written : 'known', always: written !== undefined }
  if (written === undefined) return null
  const hint = 'it is for `node FILE` on ports; remove `standby`'
  report({ path: [...path, 'standby'], message: `no process can be booted ahead: ${hindrance}`, hint })
  return null
}

/** What hinders it, as the end of a sentence; null where nothing does. */
function standbyHindrance({ argv, sockets, adopt, reload }: Started): string | null {
  if (sockets.length === 0) return 'a worker is replaced, not swapped'
  if (sockets.some(({ address }) => address.kind === 'unix')) return 'a unix socket has one path'
  if (reload !== null) return '`reload` replaces no process'
  if (adopt === false) return '`adopt: false` leaves out the script that waits'
  const options = nodeOptions(argv)
  if (options === null) return 'the command is not `node FILE`'
  const peculiar = peculiarOption(options)
  return peculiar && `${peculiar} has an effect before the program runs`
}

/** The options before the program's file; null where the command is no such call. */
function nodeOptions(argv: readonly string[]): string[] | null {
  const [shell, flag, line] = argv
  const isLine = shell === '/bin/sh' && flag === '-c' && line !== undefined
  const words = isLine ? line.replace(/^exec\s+/, '').split(/\s+/) : argv
  if (isLine && !/^exec\s/.test(line)) return null
  const [program = '', ...rest] = words
  const file = rest.findIndex((word) => !word.startsWith('-'))
  // What sh would make of a word that is not plain is not guessed.
  const isPlain = !isLine || /^[\w./@+-]+$/.test(rest[file] ?? '')
  return basename(program) === 'node' && file >= 0 && isPlain ? rest.slice(0, file) : null
}
