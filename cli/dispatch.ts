/**
 * The first word picks a file of commands/, and only that is loaded: `status` must answer at
 * about the speed of `node -e 0`, and knows nothing of Ink.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { FAILURES, type Failure } from '../proxy/protocol.ts'
import { type CommandModule, indexOfOperand, parseCommand } from './command.ts'
import { createIo, type GlobalOptions, printJson, printLine, type Streams } from './io.ts'
import { createPaint, wantsColour } from './print/paint.ts'
import { suggest } from './print/suggest.ts'

const COMMANDS: Record<string, () => Promise<CommandModule>> = {
  up: () => import('./commands/up.ts'),
  down: () => import('./commands/down.ts'),
  status: () => import('./commands/status.ts'),
  ps: () => import('./commands/status.ts'),
  start: () => import('./commands/service-verb.ts'),
  stop: () => import('./commands/service-verb.ts'),
  restart: () => import('./commands/service-verb.ts'),
  sleep: () => import('./commands/service-verb.ts'),
  wait: () => import('./commands/wait.ts'),
  logs: () => import('./commands/logs.ts'),
  open: () => import('./commands/open.ts'),
  url: () => import('./commands/url.ts'),
  exec: () => import('./commands/exec.ts'),
  env: () => import('./commands/env.ts'),
  ports: () => import('./commands/ports.ts'),
  free: () => import('./commands/free.ts'),
  check: () => import('./commands/check.ts'),
  daemon: () => import('./commands/daemon.ts'),
  init: () => import('./commands/init.ts'),
  doctor: () => import('./commands/doctor.ts'),
  import: () => import('./commands/later.ts'),
  export: () => import('./commands/later.ts'),
  activate: () => import('./commands/later.ts'),
  fd: () => import('./commands/later.ts'),
  completion: () => import('./commands/later.ts'),
}

/** Runs one command line; the exit code. */
export async function dispatch(args: string[], streams: Streams): Promise<number> {
  // Global options may stand before the name: devsock -C shop status.
  const at = indexOfOperand(args)
  const name = args[at]
  if (name === undefined || name === 'help') return printOverview(args, streams)
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const rest = args.toSpliced(at, 1)
  if (load === undefined) return report(await unknownCommand(name), args, streams)
  const module = await load()
  const parsed = parseCommand(module.define(name), rest)
  if (!parsed.ok) return report(parsed.failure, args, streams)
  if ('help' in parsed.value) {
    streams.stdout.write(parsed.value.help)
    return 0
  }
  const { options, operands } = parsed.value
  const cwd = resolve(streams.cwd, options.directory ?? '.')
  if (!existsSync(cwd)) {
    const message = `There is no folder ${cwd}.`
    return report({ code: 'usage', message, hint: 'Name another with -C.' }, args, streams, options)
  }
  const io = createIo(streams, options, cwd)
  const outcome = await module.run({ name, options, operands, io })
  return outcome.ok ? outcome.value : report(outcome.failure, args, streams, options)
}

async function printOverview(args: string[], { stdout }: Streams): Promise<number> {
  if (args.includes('--version') || args.includes('-V')) {
    const { packageVersion } = await import('./package.ts')
    printLine(stdout, packageVersion())
  } else {
    const { OVERVIEW } = await import('./print/overview.ts')
    stdout.write(OVERVIEW)
  }
  return 0
}

async function unknownCommand(name: string): Promise<Failure> {
  const similar = suggest(name, Object.keys(COMMANDS))
  const hint = similar ? `Did you mean devsock ${similar}?` : 'devsock --help'
  return { code: 'usage', message: `There is no command ${name}.`, hint }
}

/** Text on stderr, or one document on stdout; the exit code of FAILURES. */
async function report(
  failure: Failure,
  args: string[],
  streams: Streams,
  options?: GlobalOptions,
): Promise<number> {
  const { errorDocument, formatFailure } = await import('./print/failure.ts')
  const json = options?.json ?? args.includes('--json')
  if (json) {
    printJson(streams.stdout, errorDocument(failure))
  } else {
    const coloured = wantsColour(
      streams.stderr,
      streams.env,
      !(options?.noColor ?? args.includes('--no-color')),
    )
    for (const line of formatFailure(failure, streams.cwd, createPaint(coloured)))
      printLine(streams.stderr, line)
  }
  return FAILURES[failure.code]?.exit ?? 1
}
