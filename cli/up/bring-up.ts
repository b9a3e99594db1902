/** POST /v1/projects until it succeeds: what to do about a port that somebody else has. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Failure, fail, type Result, type UpReply, type UpRequest } from '../../proxy/protocol.ts'
import { askKey } from '../ask.ts'
import type { Client } from '../client.ts'
import { type Io, printLine, widthOf } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { formatFailure } from '../print/failure.ts'
import { formatOwners } from '../print/owners.ts'
import { withProgress } from '../progress.ts'

const GRACE_MS = 5_000
/** A daemon has gone well before this. */
const LEAVING_MS = 10_000
const LEAVING_POLL_MS = 50

export interface BringUpOptions {
  /** --kill: free ports without asking. */
  kill: boolean
}

/** Asks on a terminal, frees with --kill, and otherwise fails with the command that would free the port. */
export async function bringUp(
  client: Client,
  request: UpRequest,
  { kill }: BringUpOptions,
  io: Io,
): Promise<Result<UpReply>> {
  let current = request
  // A port that its owner's supervisor takes again at once would otherwise be freed for ever.
  const freed = new Set<number>()
  for (;;) {
    const reply = await askUp(client, current, io)
    if (reply.ok || reply.failure.code !== 'port-taken') return reply
    const ports = conflictingPorts(reply.failure)
    const repeated = ports.some((port) => freed.has(port))
    const choice = kill && !repeated ? 'k' : io.interactive ? await askWhatToDo(reply.failure, io) : null
    if (choice !== null && choice !== 'q') {
      // A daemon with nothing up leaves while somebody thinks about the answer.
      const awake = await ensureDaemon(io)
      if (!awake.ok) return awake
    }
    if (choice === 'k') {
      const result = await freeAll(client, ports)
      if (!result.ok && !io.interactive) return result
      if (!result.ok) printFailure(result.failure, io)
      for (const port of ports) freed.add(port)
    } else if (choice === 'o') {
      current = { ...current, conflicts: 'auto' }
    } else if (choice === 'u') {
      current = { ...current, conflicts: 'use' }
    } else if (choice === 'w') {
      current = { ...current, conflicts: 'wait' }
    } else {
      return fail('port-taken', reply.failure.message, hintFor(reply.failure, ports), {
        owners: reply.failure.owners,
      })
    }
  }
}

/**
 * A daemon that is just leaving, behind the `down` of a moment ago, says so or is gone before it answers: then the
 * next one is asked. To ask twice does no harm.
 */
async function askUp(client: Client, request: UpRequest, io: Io): Promise<Result<UpReply>> {
  const deadline = Date.now() + LEAVING_MS
  for (;;) {
    const reply = await withProgress(io, 'holding the ports', client.up(request))
    const isGone = !reply.ok && (reply.failure.code === 'not-up' || reply.failure.code === 'daemon-failed')
    if (!isGone || Date.now() > deadline) return reply
    await delay(LEAVING_POLL_MS)
    const awake = await ensureDaemon(io)
    if (!awake.ok) return awake
  }
}

const conflictingPorts = ({ owners = [] }: Failure): number[] => [
  ...new Set(owners.flatMap(({ port }) => (port === null ? [] : [port]))),
]

const hintFor = (failure: Failure, ports: number[]): string | null =>
  ports.length > 0
    ? `devsock free ${ports.join(' ')}    or: devsock up --kill, devsock up --auto-ports`
    : failure.hint

async function askWhatToDo({ owners = [] }: Failure, io: Io): Promise<string> {
  for (const wish of new Set(owners.map(({ service, address }) => `${service} wants ${address}`))) {
    const those = owners.filter(({ service, address }) => wish === `${service} wants ${address}`)
    const seen = those.flatMap(({ owner }) => (owner === null ? [] : [owner]))
    const [titles = '', ...rows] = formatOwners(seen, widthOf(io.stdout))
    printLine(
      io.stdout,
      `${io.paint('yellow', '!')} ${wish}, taken by${seen.length > 0 ? '' : ' another user'}`,
    )
    if (rows.length > 0) for (const line of [io.paint('dim', titles), ...rows]) printLine(io.stdout, line)
  }
  return (await askKey(io, '[k]ill  [o]ther port  [u]se it  [w]ait  [q]uit ', 'kouwq')) ?? 'q'
}

async function freeAll(client: Client, ports: number[]): Promise<Result<unknown>> {
  for (const port of ports) {
    const freed = await client.free(port, { force: false, graceMs: GRACE_MS })
    if (!freed.ok) return freed
  }
  return { ok: true, value: null }
}

function printFailure(failure: Failure, io: Io): void {
  for (const line of formatFailure(failure, io.cwd, io.paint)) printLine(io.stdout, line)
}
