import { setTimeout as delay } from 'node:timers/promises'
import { fail, ok, type PortListing, type PortOwner, type Result } from '../protocol.ts'
import { takenBy } from './conflict.ts'
import { type Asker, type Refusal, refusalOf, systemdCommand } from './guard.ts'
import { type Ending, end, type KillOptions } from './kill.ts'
import { distinctOwners, listListeners } from './listeners.ts'
import { readSockets } from './proc-net.ts'
import {
  ancestorsOf,
  describeOwner,
  processCgroup,
  processCommand,
  processStat,
  processUser,
} from './process.ts'
import { ProcessHandle } from './process-handle.ts'

/** What freePort() would end, for a question or a dry run. */
export interface FreePlan {
  port: number
  ends: PortOwner[]
}

export interface FreeOptions extends KillOptions {
  /** Milliseconds to look whether somebody starts it again; 0 for who binds the port at once anyway. Default 300. */
  watchMs?: number
}

export interface FreeReceipt {
  port: number
  ended: { owner: PortOwner; by: Ending }[]
}

/** A process that is to be ended: what tells it from a later one with the same number. */
interface Target {
  owner: PortOwner
  started: number
}

/** Milliseconds between looks at the table of ports, once everybody has been told to go. */
const LOOK_MS = 10
/** Milliseconds that a port may take to be free after its last owner has gone. */
const RELEASE_MS = 2_000
/** A server that forks while it is being ended leaves children with its socket: those go in the next round. */
const ROUNDS = 4

/**
 * Whom ending a TCP port means: every process that has a listener of it open. One that may not be ended keeps the
 * port whatever happens to the others, so then nothing is planned and the failure says who, why, and the command
 * to run by hand. Nobody there is a plan that ends nobody.
 */
export async function planFree(port: number, protectedPids: ReadonlySet<number>): Promise<Result<FreePlan>> {
  const listings = await listening(port)
  const refusals = await refusalsOf(port, listings, protectedPids)
  if (refusals.length > 0) return refused(port, refusals)
  return ok({ port, ends: distinctOwners(listings) })
}

/**
 * Ends whoever listens on a TCP port and waits until it is free.
 *
 * ```
 *  plan ──► open pidfds ──► look again ──► end each ──► port free? ──► nobody came back? ──► done
 *    ▲         (still the same process,       │            │ no: a child had it too  │ yes
 *    └────────  still listening there)        │◄───────────┘                         └──► failure: who restarts it
 * ```
 */
export async function freePort(
  port: number,
  options: FreeOptions,
  protectedPids: ReadonlySet<number>,
): Promise<Result<FreeReceipt>> {
  const receipt: FreeReceipt = { port, ended: [] }
  const first = await listening(port)
  const inodes = new Set(first.map((listing) => listing.inode))

  for (let round = 0; round < ROUNDS; round++) {
    const listings = round === 0 ? first : (await listening(port)).filter(({ inode }) => inodes.has(inode))
    if (listings.length === 0) return stayedFree(receipt, inodes, options)
    const refusals = await refusalsOf(port, listings, protectedPids)
    if (refusals.length > 0) return refused(port, refusals)

    const targets = await targetsOf(listings)
    const stopped = await endAll(targets, inodes, options, receipt)
    if (stopped) return stopped
    await released(port, inodes)
  }
  return fail(
    'port-taken',
    takenBy(`port ${port} is still not free: it`, distinctOwners(await listening(port))),
  )
}

const listening = async (port: number): Promise<PortListing[]> =>
  (await listListeners({ ports: [port] })).filter((listing) => listing.protocol === 'tcp')

async function refusalsOf(
  port: number,
  listings: readonly PortListing[],
  protectedPids: ReadonlySet<number>,
): Promise<Refusal[]> {
  const asker: Asker = {
    uid: process.getuid?.() ?? -1,
    lineage: new Set([process.pid, ...(await ancestorsOf(process.pid))]),
    protectedPids,
    cgroup: await processCgroup('self'),
  }
  const refusals: Refusal[] = []
  for (const owner of distinctOwners(listings)) {
    const uid = owner.pid === 0 ? -1 : await processUser(owner.pid)
    if (uid === null) continue // it has gone meanwhile
    const cgroup = owner.pid === 0 ? '' : await processCgroup(owner.pid)
    const refusal = refusalOf({ owner, uid, cgroup }, asker, port)
    if (refusal) refusals.push(refusal)
  }
  return refusals
}

function refused(port: number, refusals: readonly Refusal[]): Result<never> {
  const owners = refusals.map(({ owner }) => ({ service: '', address: String(port), port, owner }))
  const message = refusals.map((refusal) => refusal.message).join('; ')
  return fail('port-refused', message, [...new Set(refusals.map((refusal) => refusal.hint))].join('; '), {
    owners,
  })
}

async function targetsOf(listings: readonly PortListing[]): Promise<Target[]> {
  const targets: Target[] = []
  for (const owner of distinctOwners(listings)) {
    const stat = await processStat(owner.pid)
    if (stat) targets.push({ owner, started: stat.started })
  }
  return targets
}

/** Null when all have ended; else what is to be said instead. */
async function endAll(
  targets: readonly Target[],
  inodes: ReadonlySet<number>,
  options: FreeOptions,
  receipt: FreeReceipt,
): Promise<Result<never> | null> {
  const opened = targets.map((target) => ({ target, handle: ProcessHandle.open(target.owner.pid) }))
  try {
    // Only from here on do the handles mean what the plan meant, if both still are the same and listen.
    const port = receipt.port
    const holding = new Set(
      (await listening(port))
        .filter(({ inode }) => inodes.has(inode))
        .flatMap(({ owners }) => owners.map(({ pid }) => pid)),
    )
    const endings = await Promise.all(
      opened.map(async ({ target, handle }): Promise<{ owner: PortOwner; by: Ending } | null> => {
        const same = (await processStat(target.owner.pid))?.started === target.started
        if (!handle || !same || !holding.has(target.owner.pid)) return null
        return { owner: target.owner, by: await end(handle, options) }
      }),
    )
    const told = endings.filter((ending) => ending !== null)
    receipt.ended.push(...told.filter(({ by }) => by === 'SIGTERM' || by === 'SIGKILL'))
    if (told.some(({ by }) => by === 'aborted'))
      return fail('interrupted', `freeing port ${port} was interrupted`)
    const stuck = told.find(({ by }) => by === 'stuck')
    if (!stuck) return null
    return fail(
      'port-taken',
      `${describeOwner(stuck.owner)} does not end, even when killed`,
      'it hangs in the kernel, in a disk or a network file system',
    )
  } finally {
    for (const { handle } of opened) handle?.close()
  }
}

/** Sockets of a dead process are closed a moment after it can be waited for. */
async function released(port: number, inodes: ReadonlySet<number>): Promise<void> {
  for (const deadline = performance.now() + RELEASE_MS; performance.now() < deadline; await delay(LOOK_MS)) {
    const rows = await readSockets(['tcp'])
    if (!rows.some((row) => row.port === port && row.listening && inodes.has(row.inode))) return
  }
}

async function stayedFree(
  receipt: FreeReceipt,
  inodes: ReadonlySet<number>,
  options: FreeOptions,
): Promise<Result<FreeReceipt>> {
  const watchMs = receipt.ended.length > 0 ? (options.watchMs ?? 300) : 0
  const deadline = performance.now() + watchMs
  do {
    const rows = await readSockets(['tcp'])
    const back = rows.filter((row) => row.port === receipt.port && row.listening && !inodes.has(row.inode))
    if (back.length > 0) return cameBack(receipt.port)
    await delay(LOOK_MS, undefined, { signal: options.signal }).catch((error: Error) => {
      if (error.name !== 'AbortError') throw error
    })
  } while (performance.now() < deadline && !options.signal?.aborted)
  return ok(receipt)
}

/** A supervisor has started it again: it is that one that has to end. */
async function cameBack(port: number): Promise<Result<never>> {
  const owners = distinctOwners(await listening(port))
  const message = `port ${port} was freed and came back: ${takenBy('it', owners)}`
  const owner = owners[0]
  const unit =
    owner &&
    systemdCommand(await processCgroup(owner.pid), await processCgroup('self'), process.getuid?.() ?? -1)
  if (unit) return fail('port-taken', message, `systemd restarts it: ${unit}`)

  const supervisor = owner ? (await processStat(owner.pid))?.parent : undefined
  if (supervisor === undefined || supervisor <= 1) {
    return fail('port-taken', message, 'something restarts it: end that first')
  }
  const command = await processCommand(supervisor)
  return fail(
    'port-taken',
    message,
    `${command} (pid ${supervisor}) restarts it; end that first: kill ${supervisor}`,
  )
}
