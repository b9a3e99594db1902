import {
  EXIT,
  fail,
  ok,
  type ProjectStatus,
  type Result,
  type UpReply,
  type UpRequest,
} from '../../proxy/protocol.ts'
import type { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { findProposal, offer, writeConfiguration, wrote } from '../configuration-offer.ts'
import { definedVariables } from '../environment.ts'
import { type Io, printJson, printLine } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { formatHeld, formatOutcome } from '../print/service.ts'
import { plural } from '../print/units.ts'
import { withProgress } from '../progress.ts'
import { type Location, locateProject } from '../project.ts'
import { shellLimits } from '../shell.ts'
import { onSignals } from '../signals.ts'
import { bringUp } from '../up/bring-up.ts'
import { followAsJson, followPlainly } from '../up/plain.ts'
import { Session } from '../up/session.ts'

interface Options {
  detach?: boolean
  wait?: boolean
  noWatch?: boolean
  kill?: boolean
  autoPorts?: boolean
}

const WAIT_MS = 30_000

export const define = (): Definition => ({
  name: 'up',
  operands: '[service...]',
  summary: "Hold this project's ports and run it. Attaches where it is up already.",
  examples: [
    ['up', 'd detaches, q or Ctrl-C brings it down'],
    ['up -d', 'in the background; devsock down ends it'],
    ['up --wait', 'in the background, once everything is ready'],
    ['up web', 'only this service'],
    ['up --auto-ports', 'on free ports: a second checkout beside the first'],
  ],
  options: {
    detach: { short: 'd', does: 'return once every port is held' },
    wait: { does: '-d, and wait until services are ready' },
    'no-watch': { does: 'no swap when files change' },
    kill: { does: 'free ports that others have, without asking' },
    'auto-ports': { does: 'free ports instead of the fixed ones' },
  },
})

export async function run(call: Call<Options>): Promise<Result<number>> {
  const { options, io } = call
  const located = locateProject(options, io)
  const isNew = !located.ok && options.config === undefined && io.interactive
  if (!located.ok && !isNew) return located
  const client = await withProgress(io, 'starting devsock', ensureDaemon(io))
  if (!client.ok) return client
  const location = located.ok ? located : await writeFirst(client.value, call)
  if (!location.ok) return location
  if (location.value === null) return ok(EXIT.ok)
  const nested = await refuseNested(client.value, location.value, io.env)
  if (!nested.ok) return nested
  const request = createRequest(call, location.value)
  // Loaded meanwhile: the lease of a project that is up is not to wait for it.
  const screen = io.interactive && !request.detached ? import('../ui/run-screen.tsx') : null
  const reply = await bringUp(client.value, request, { kill: options.kill === true }, io)
  if (!reply.ok) return reply
  return request.detached
    ? finishDetached(client.value, reply.value, call)
    : runForeground(client.value, reply.value, request, await screen, call)
}

/** Where there is no configuration, one is offered; null: not wanted. */
async function writeFirst(client: Client, { options, io }: Call<Options>): Promise<Result<Location | null>> {
  const proposed = await findProposal(client, io)
  if (!proposed.ok) return proposed
  if (!(await offer(proposed.value, io))) return ok(null)
  const written = writeConfiguration(proposed.value)
  if (!written.ok) return written
  printLine(io.stdout, wrote(proposed.value, io))
  return locateProject(options, io)
}

const createRequest = ({ options, operands, io }: Call<Options>, location: Location): UpRequest => ({
  ...location,
  env: definedVariables(io.env),
  services: operands,
  watch: !options.noWatch,
  autoPorts: options.autoPorts === true,
  limits: shellLimits(),
  detached: options.detach === true || options.wait === true,
  conflicts: null,
})

/** `"dev": "devsock up"` with `web: 'npm run dev'` would start itself for ever. */
async function refuseNested(
  client: Client,
  { dir }: Location,
  env: NodeJS.ProcessEnv,
): Promise<Result<null>> {
  const { DEVSOCK_PROJECT: id, DEVSOCK_SERVICE: service } = env
  if (!id || !service) return ok(null)
  const status = await client.status()
  if (!status.ok) return status
  if (status.value.projects.find((project) => project.id === id)?.dir !== dir) return ok(null)
  return fail(
    'nested-up',
    `This is ${id}/${service} itself: its command runs devsock up, which runs its command.`,
    `Give ${service} the server's own command, not the script that runs devsock.`,
  )
}

async function finishDetached(
  client: Client,
  reply: UpReply,
  { options, io }: Call<Options>,
): Promise<Result<number>> {
  if (options.json) printJson(io.stdout, reply)
  else
    for (const line of [...formatReply(reply, io), ...(await formatDashboard(client, io))])
      printLine(io.stdout, line)
  return options.wait ? waitForAll(client, reply.project, options.json === true, io) : ok(EXIT.ok)
}

async function waitForAll(
  client: Client,
  project: ProjectStatus,
  json: boolean,
  io: Io,
): Promise<Result<number>> {
  const waits = project.services
    .filter(({ state }) => state !== 'stopped' && state !== 'external')
    .map(({ id }) => client.wait(id, { for: 'ready', timeoutMs: WAIT_MS }))
  const outcomes = await withProgress(io, `waiting for ${project.id}`, Promise.all(waits))
  for (const outcome of outcomes) {
    if (!outcome.ok) continue
    if (json) printJson(io.stdout, outcome.value)
    else printLine(io.stdout, formatOutcome(outcome.value.service, io.paint))
  }
  return outcomes.find((outcome) => !outcome.ok) ?? ok(EXIT.ok)
}

async function runForeground(
  client: Client,
  reply: UpReply,
  request: UpRequest,
  screen: typeof import('../ui/run-screen.tsx') | null,
  { options, io }: Call<Options>,
): Promise<Result<number>> {
  using session = new Session(client, reply.project.id, reply.started, request)
  using _ = onSignals(['SIGINT', 'SIGTERM', 'SIGHUP'], () => void session.leave(EXIT.interrupted))
  if (screen !== null) {
    await screen.runScreen(session, client, reply, io)
  } else if (options.json) {
    await followAsJson(session, io)
  } else {
    for (const line of [...formatReply(reply, io), ...(await formatDashboard(client, io))])
      printLine(io.stdout, line)
    await followPlainly(session, reply.project, io)
  }
  const end = await session.ended
  if (!end.ok) return end
  const { down, exit, detached } = end.value
  if (detached)
    printLine(
      io.stdout,
      `${session.project} stays up · devsock up: this screen again · devsock down: its end`,
    )
  if (down && !options.json) {
    const ended = `${plural(down.services, 'service')} ended, ${plural(down.ports, 'port')} released`
    printLine(io.stdout, `${io.paint('green', '✓')} ${session.project}: ${ended}`)
  }
  return ok(exit)
}

function formatReply({ project, started, ms }: UpReply, { paint }: Io): string[] {
  const [head = '', ...lines] = formatHeld(project, ms, paint)
  return [started ? head : `${paint('green', '✓')} ${project.id} is up already`, ...lines]
}

/** Its link; without the token where the reader may be a log. */
async function formatDashboard(client: Client, { stdout, paint }: Io): Promise<string[]> {
  const dashboard = await client.dashboard()
  // An older daemon has none.
  if (!dashboard.ok || dashboard.value.url === null) return []
  const { url, link } = dashboard.value
  return [paint('dim', `  dashboard  ${stdout.isTTY ? link : url}`)]
}
