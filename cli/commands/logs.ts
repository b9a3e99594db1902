import { fail, type LogLine, ok, type Result } from '../../proxy/protocol.ts'
import { Client, type LogQuery } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { type Io, printJson, printLine } from '../io.ts'
import { formatLogLine, labelWidth } from '../print/log.ts'
import { parseDuration } from '../print/units.ts'
import { findTargets, type Target } from '../project.ts'

interface Options {
  follow?: boolean
  since?: string
  grep?: string
  generation?: string
  previous?: boolean
  lines: string
}

export const define = (): Definition => ({
  name: 'logs',
  operands: '[service...]',
  summary: 'What services print.',
  examples: [
    ['logs', 'the last 100 lines of this project'],
    ['logs api -f', 'one service, and go on'],
    ['logs api --previous', 'the generation before: why did it end?'],
    ["logs --since 10m --grep 'error|warn'", 'a part'],
  ],
  options: {
    follow: { short: 'f', does: 'go on as lines come' },
    since: { value: 'duration', does: 'only what is newer: 10m, 2h' },
    grep: { value: 'regexp', does: 'only lines that match' },
    generation: { value: 'n', does: 'only this generation' },
    previous: { does: 'only the generation before the current one' },
    lines: { short: 'n', value: 'n', default: '100', does: 'at most so many, the newest' },
  },
})

export async function run({ options, operands, io }: Call<Options>): Promise<Result<number>> {
  const query = readQuery(options)
  if (!query.ok) return query
  const client = new Client(locateFolders(io.env))
  const status = await client.status()
  if (!status.ok) return status
  const targets = findTargets(status.value, operands, options, io)
  if (!targets.ok) return targets
  const print = createPrinter(targets.value, options.json === true, io)
  return options.follow
    ? followLogs(client, targets.value, query.value, print)
    : printLogs(client, targets.value, query.value, print)
}

function readQuery(options: Options): Result<LogQuery> {
  const query: LogQuery = { follow: options.follow, previous: options.previous, grep: options.grep }
  for (const [name, text] of [
    ['-n', options.lines],
    ['--generation', options.generation],
  ] as const) {
    if (text === undefined) continue
    const number = Number(text)
    if (!Number.isInteger(number) || number < 0)
      return fail('usage', `${name} takes a whole number, not ${text}.`, 'devsock logs --help')
    if (name === '-n') query.last = number
    else query.generation = number
  }
  if (options.since !== undefined) {
    const since = parseDuration(options.since)
    if (!since.ok) return since
    query.since = new Date(Date.now() - since.value).toISOString()
  }
  return ok(query)
}

type Print = (line: LogLine) => void

function createPrinter(targets: Target[], json: boolean, { stdout, paint, colours }: Io): Print {
  if (json) return (line) => printJson(stdout, line)
  const projects = new Set(targets.map(({ project }) => project.id))
  const label = (line: { project: string; service: string }): string =>
    targets.length === 1 ? '' : projects.size === 1 ? line.service : `${line.project}/${line.service}`
  const width = labelWidth(
    targets.map(({ project, service }) => label({ project: project.id, service: service.name })),
  )
  return (line) => printLine(stdout, formatLogLine(line.text, label(line), width, paint, colours))
}

/** What there is, of all services in the order of time. */
async function printLogs(
  client: Client,
  targets: Target[],
  query: LogQuery,
  print: Print,
): Promise<Result<number>> {
  const lines: LogLine[] = []
  for (const { service } of targets) {
    for await (const line of client.logs(service.id, query)) {
      if (!line.ok) return line
      lines.push(line.value)
    }
  }
  // Stable: lines of one service with the same time stay in their order.
  lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  for (const line of query.last === undefined ? lines : lines.slice(Math.max(0, lines.length - query.last)))
    print(line)
  return ok(0)
}

/** Until interrupted, or until the last of the services is taken down. */
async function followLogs(
  client: Client,
  targets: Target[],
  query: LogQuery,
  print: Print,
): Promise<Result<number>> {
  const failures = await Promise.all(
    targets.map(async ({ service }) => {
      for await (const line of client.logs(service.id, query)) {
        if (!line.ok) return line
        print(line.value)
      }
      return null
    }),
  )
  return failures.find((failure) => failure !== null) ?? ok(0)
}
