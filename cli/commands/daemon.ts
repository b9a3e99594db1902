import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fail, ok, type Result } from '../../proxy/protocol.ts'
import { Client, type Hello } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { type Io, printJson, printLine } from '../io.ts'
import { stopDaemon } from '../launch.ts'
import { formatDaemonLine } from '../print/daemon-log.ts'
import { formatPath } from '../print/paths.ts'
import { plural } from '../print/units.ts'

interface Options {
  lines: string
}

const ACTIONS: Record<string, (call: Call<Options>, client: Client) => Promise<Result<number>>> = {
  status: printStatus,
  stop,
  restart,
  logs: printLogs,
  install: async () => fail('not-in-this-version', 'devsock daemon install is not in this version.'),
}

/** The holder starts it again at once; ten seconds are for a machine on its knees. */
const RESTART_MS = 10_000
const POLL_MS = 20

export const define = (): Definition => ({
  name: 'daemon',
  operands: '<action>',
  summary: `The process behind devsock: ${Object.keys(ACTIONS).join(', ')}.`,
  examples: [
    ['daemon status', 'its pid, version and folders'],
    ['daemon stop', 'brings every project down and ends it'],
    ['daemon restart', 'only the daemon: sockets and servers go on'],
    ['daemon logs -n 50', 'what it and its holder wrote'],
  ],
  options: {
    lines: { short: 'n', value: 'n', default: '100', does: 'of the logs, the newest' },
  },
})

export async function run(call: Call<Options>): Promise<Result<number>> {
  const [name = ''] = call.operands
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (!action)
    return fail(
      'usage',
      `There is no devsock daemon ${name}.`,
      `It takes ${Object.keys(ACTIONS).join(', ')}.`,
    )
  return action(call, new Client(locateFolders(call.io.env)))
}

async function printStatus({ options, io }: Call<Options>, client: Client): Promise<Result<number>> {
  const status = await client.status()
  if (!status.ok) return status
  const { daemon, projects } = status.value
  const { state, runtime } = client.folders
  if (options.json) {
    printJson(io.stdout, { v: 1, daemon, projects: projects.map(({ id }) => id), state, runtime })
  } else if (daemon === null) {
    printLine(io.stdout, 'devsock is not running.')
  } else {
    const up = `${plural(projects.length, 'project')}${projects.length > 0 ? `: ${projects.map(({ id }) => id).join(', ')}` : ''}`
    printLine(
      io.stdout,
      `devsock ${daemon.version} · pid ${daemon.pid} · holder ${daemon.holderPid} · since ${daemon.startedAt}`,
    )
    printLine(io.stdout, up)
    printLine(io.stdout, `state ${formatPath(state)} · runtime ${formatPath(runtime)}`)
  }
  return ok(0)
}

async function stop({ options, io }: Call<Options>, client: Client): Promise<Result<number>> {
  const status = await client.status()
  if (!status.ok) return status
  if (status.value.daemon !== null) {
    const stopped = await stopDaemon(client)
    if (!stopped.ok) return stopped
  }
  if (options.json) printJson(io.stdout, { v: 1, stopped: status.value.daemon !== null })
  else
    printLine(
      io.stdout,
      status.value.daemon === null ? 'devsock is not running.' : formatDone('the daemon ended', io),
    )
  return ok(0)
}

/** By SIGKILL, which it must survive anyway: the holder keeps everything and starts the next one. */
async function restart({ options, io }: Call<Options>, client: Client): Promise<Result<number>> {
  const before = await client.hello()
  if (!before.ok) return before
  process.kill(before.value.pid, 'SIGKILL')
  const after = await waitForNext(client, before.value)
  if (!after.ok) return after
  if (options.json) printJson(io.stdout, after.value)
  else printLine(io.stdout, formatDone(`the daemon runs again · pid ${after.value.pid}`, io))
  return ok(0)
}

async function waitForNext(client: Client, before: Hello): Promise<Result<Hello>> {
  const deadline = Date.now() + RESTART_MS
  while (Date.now() < deadline) {
    const hello = await client.hello()
    if (hello.ok && hello.value.pid !== before.pid) return hello
    await delay(POLL_MS)
  }
  return fail(
    'daemon-failed',
    `The daemon was not back within ${RESTART_MS / 1000} s.`,
    'devsock daemon logs',
  )
}

const formatDone = (text: string, { paint }: Io): string => `${paint('green', '✓')} ${text}`

async function printLogs({ options, io }: Call<Options>, client: Client): Promise<Result<number>> {
  const count = Number(options.lines)
  if (!Number.isInteger(count) || count < 1)
    return fail('usage', `-n takes a whole number, not ${options.lines}.`)
  const path = client.folders.log
  if (!existsSync(path)) return ok(0)
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count)
  if (!options.json) printLine(io.stdout, io.paint('dim', formatPath(path)))
  for (const text of lines)
    printLine(
      io.stdout,
      options.json ? JSON.stringify({ file: basename(path), text }) : formatDaemonLine(text, io.paint),
    )
  return ok(0)
}
