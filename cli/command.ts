/** What a file of commands/ exports, and how its command line is read. */
import { Command, CommanderError } from 'commander'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import type { GlobalOptions, Io } from './io.ts'

/** One call of a command, its options and operands read. */
export interface Call<Options = unknown> {
  /** The word it was called by: some files serve several. */
  name: string
  options: GlobalOptions & Options
  operands: string[]
  io: Io
}

export interface CommandModule {
  /** Options and help; made anew for each call. */
  define(name: string): Command
  /** The exit code. Expected failures are printed by main.ts, as text or as a document. */
  run(call: Call): Promise<Result<number>>
}

/** A command with the options that all have. `operands` as in `<port...>`; each example is a command line and what it does. */
export function createCommand(
  name: string,
  operands: string,
  summary: string,
  examples: [line: string, does: string][],
): Command {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, does]) => `  $ devsock ${line.padEnd(width)}  ${does}`)
  const command = new Command(name)
    .usage(`${operands === '' ? '' : `${operands} `}[options]`.trim())
    .description(summary)
    .helpOption('-h, --help', 'this text')
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
    .configureHelp({ commandUsage: (each) => `devsock ${each.name()} ${each.usage()}` })
  if (operands !== '') command.argument(operands)
  return command
}

/** The options of every command, last in its help. */
function addGlobalOptions(command: Command): Command {
  return command
    .option('-C, --directory <dir>', 'as if started there')
    .option('-c, --config <file>', 'this configuration, not the nearest one upward')
    .option('-a, --all', 'all projects that are up')
    .option('--json', 'documents for programs, one a line')
    .option('--no-input', 'never ask (CI implies it)')
    .option('--no-color', 'no colours (NO_COLOR, FORCE_COLOR)')
}

export type Parsed = { options: GlobalOptions; operands: string[] } | { help: string }

/** Reads a command line; what is wrong with it is `usage`, with what was probably meant. */
export function parseCommand(module: CommandModule, name: string, args: string[]): Result<Parsed> {
  const command = addGlobalOptions(module.define(name))
  let printed = ''
  const keep = (text: string): void => {
    printed += text
  }
  command.configureOutput({ writeOut: keep, writeErr: () => {} }).exitOverride()
  try {
    command.parse(args, { from: 'user' })
    return ok({ options: command.opts<GlobalOptions>(), operands: command.args })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return ok({ help: printed })
    const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
    const hint = suggestion?.replace(/^\(|\)$/g, '') ?? `devsock ${name} --help`
    return fail('usage', `${message.charAt(0).toUpperCase()}${message.slice(1)}.`, hint)
  }
}
