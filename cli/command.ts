/**
 * What a file of commands/ exports, and how its command line is read: by util.parseArgs, which Node has
 * loaded anyway. commander 14 does the same and makes `status` take a fifth longer.
 */
import { parseArgs } from 'node:util'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import type { GlobalOptions, Io } from './io.ts'
import { suggest } from './print/suggest.ts'

/** One call of a command, its options and operands read. */
export interface Call<Options = unknown> {
  /** The word it was called by: some files serve several. */
  name: string
  options: GlobalOptions & Options
  operands: string[]
  io: Io
}

export interface CommandModule {
  define(name: string): Definition
  /** The exit code. Expected failures are printed by dispatch.ts, as text or as a document. */
  run(call: Call): Promise<Result<number>>
}

export interface Definition {
  name: string
  /** As in its help: `[service...]`, `<port...>`, or nothing. */
  operands: string
  summary: string
  examples: [line: string, does: string][]
  /** By their long names; `run` gets them in camel case. */
  options?: Record<string, Option>
  /** Everything from the first operand on is operands: another program's command line. */
  passThrough?: boolean
  /** Takes whatever comes. */
  lenient?: boolean
}

export interface Option {
  does: string
  short?: string
  /** What its value is, for the help; absent: a switch. */
  value?: string
  default?: string
}

const GLOBAL_OPTIONS: Record<string, Option> = {
  directory: { short: 'C', value: 'dir', does: 'as if started there' },
  config: { short: 'c', value: 'file', does: 'this configuration, not the nearest one upward' },
  all: { short: 'a', does: 'all projects that are up' },
  json: { does: 'documents for programs, one a line' },
  'no-input': { does: 'never ask (CI implies it)' },
  'no-color': { does: 'no colours (NO_COLOR, FORCE_COLOR)' },
  help: { short: 'h', does: 'this text' },
}

/** Long and short names of the global options that take a value. */
const GLOBAL_VALUES = new Set(
  Object.entries(GLOBAL_OPTIONS).flatMap(([name, { short, value }]) =>
    value ? [`--${name}`, `-${short}`] : [],
  ),
)

export type Parsed = { options: GlobalOptions; operands: string[] } | { help: string }

/** Where the first word is that belongs to no global option; the length where there is none. */
export function indexOfOperand(args: string[]): number {
  let index = 0
  while (index < args.length && args[index] !== '--' && args[index]?.startsWith('-')) {
    index += GLOBAL_VALUES.has(args[index] ?? '') ? 2 : 1
  }
  return Math.min(index, args.length)
}

/** Reads a command line; what is wrong with it is `usage`, with what was probably meant. */
export function parseCommand(definition: Definition, args: string[]): Result<Parsed> {
  const options = { ...definition.options, ...GLOBAL_OPTIONS }
  const split = definition.passThrough ? indexOfOperand(args) : args.length
  const rest = args[split] === '--' ? args.slice(split + 1) : args.slice(split)
  try {
    const { values, positionals } = parseArgs({
      args: args.slice(0, split),
      options: Object.fromEntries(
        Object.entries(options).map(([name, option]) => [name, toParseArgs(option)]),
      ),
      allowPositionals: true,
      strict: !definition.lenient,
    })
    if (values.help) return ok({ help: formatHelp(definition) })
    const operands = [...positionals, ...rest]
    const wrong = checkOperands(definition, operands)
    if (wrong !== null) return fail('usage', wrong, `devsock ${definition.name} --help`)
    const named = Object.entries(values).map(([name, value]) => [camelCase(name), value])
    return ok({ options: Object.fromEntries(named), operands })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error
    return fail(
      'usage',
      `${message.split(/\. |\n/)[0]}.`,
      hintFor(message, definition.name, Object.keys(options)),
    )
  }
}

function toParseArgs({ short, value, default: preset }: Option) {
  const type = value === undefined ? ('boolean' as const) : ('string' as const)
  return { type, ...(short && { short }), ...(preset !== undefined && { default: preset }) }
}

function checkOperands({ name, operands: pattern }: Definition, operands: string[]): string | null {
  const isRequired = pattern.startsWith('<')
  const most = pattern === '' ? 0 : pattern.includes('...') ? Number.POSITIVE_INFINITY : 1
  if (isRequired && operands.length === 0) return `devsock ${name} needs ${pattern}.`
  return operands.length > most ? `devsock ${name} does not take ${operands[most]}.` : null
}

function hintFor(message: string, name: string, known: string[]): string {
  const unknown = /^Unknown option '--([^']+)'/.exec(message)?.[1]
  const similar = unknown ? suggest(unknown, known) : null
  return similar ? `Did you mean --${similar}?` : `devsock ${name} --help`
}

const camelCase = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

function formatHelp({ name, operands, summary, examples, options = {} }: Definition): string {
  const usage = ['Usage: devsock', name, operands, '[options]'].filter(Boolean).join(' ')
  const exampleLines = columns(examples.map(([line, does]) => [`$ devsock ${line}`, does]))
  const own = Object.keys(options).length > 0 ? ['', 'Options:', ...columns(optionRows(options))] : []
  const all = ['', 'For every command:', ...columns(optionRows(GLOBAL_OPTIONS))]
  return `${[usage, '', summary, ...own, ...all, '', 'Examples:', ...exampleLines].join('\n')}\n`
}

const optionRows = (options: Record<string, Option>): [string, string][] =>
  Object.entries(options).map(([name, { short, value, does, default: preset }]) => [
    `${short ? `-${short}, ` : '    '}--${name}${value ? ` <${value}>` : ''}`,
    preset === undefined ? does : `${does} (${preset})`,
  ])

function columns(rows: [string, string][]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
