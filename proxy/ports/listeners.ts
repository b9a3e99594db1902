import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { PortListing, PortOwner } from '../protocol.ts'
import { covers } from './overlap.ts'
import { readSockets } from './proc-net.ts'
import { isGone, processCommand, processUser, userNames } from './process.ts'

/** Whether this system says itself who has a port; where it does not (macOS), find-process guesses. */
const hasProc = (): boolean => existsSync('/proc/net/tcp')

/**
 * Every listening TCP and bound UDP socket of this machine with every process that has it open, sorted by port.
 *
 * Where a process may not be looked into (another user's), its row still tells whose it is: one owner with
 * pid 0, no command, and the user's name. Without /proc only the `ports` asked for can be looked up.
 */
export async function listListeners(options: { ports?: readonly number[] } = {}): Promise<PortListing[]> {
  if (!hasProc()) return askFindProcess(options.ports ?? [])
  const wanted = options.ports && new Set(options.ports)
  const rows = (await readSockets()).filter((row) => row.listening && (!wanted || wanted.has(row.port)))
  if (rows.length === 0) return []

  const { holders, closed } = await findHolders(new Set(rows.map((row) => row.inode)))
  const nameOf = await userNames()
  const known = new Map<number, Promise<PortOwner | null>>()
  const look = (pid: number): Promise<PortOwner | null> => {
    const owner = known.get(pid) ?? ownerOf(pid, nameOf)
    known.set(pid, owner)
    return owner
  }
  const proxies = rows.some((row) => !holders.has(row.inode)) ? await dockerProxies(closed) : new Map()

  const listings = rows.map(async ({ protocol, port, address, inode, uid }): Promise<PortListing> => {
    const pids = holders.get(inode) ?? proxies.get(`${protocol}:${port}`) ?? []
    const owners = (await Promise.all(pids.map(look))).filter((owner) => owner !== null)
    const unseen: PortOwner = { pid: 0, command: '', cwd: null, user: nameOf(uid) }
    return { protocol, port, address, inode, owners: owners.length > 0 ? owners : [unseen], service: null }
  })
  return (await Promise.all(listings)).sort(
    (a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol) || a.address.localeCompare(b.address),
  )
}

/** Who listens on a TCP port, on any address or on those that `address` (a literal) runs into. */
export async function ownersOf(port: number, address?: string): Promise<PortOwner[]> {
  const listings = (await listListeners({ ports: [port] })).filter(({ protocol }) => protocol === 'tcp')
  const relevant =
    address === undefined ? listings : listings.filter((listing) => covers(listing.address, address))
  return distinctOwners(relevant)
}

/** One entry a process, however many of the sockets it holds. */
export function distinctOwners(listings: readonly PortListing[]): PortOwner[] {
  const owners = new Map<string, PortOwner>()
  for (const owner of listings.flatMap((listing) => listing.owners))
    owners.set(`${owner.pid} ${owner.user}`, owner)
  return [...owners.values()].sort((a, b) => a.pid - b.pid)
}

/** Who has a socket's inode open; for sockets that have no row in a table of ports (AF_UNIX). */
export async function ownersOfInode(inode: number): Promise<PortOwner[]> {
  const { holders } = await findHolders(new Set([inode]))
  const nameOf = await userNames()
  const owners = await Promise.all((holders.get(inode) ?? []).map((pid) => ownerOf(pid, nameOf)))
  return owners.filter((owner) => owner !== null)
}

/** Milliseconds that the walk may keep the event loop before it lets others run. */
const SLICE_MS = 4

/**
 * One walk over /proc/PID/fd of every process. Synchronous calls in slices: a turn through the thread pool for
 * each of ten thousand links would cost ten times the link.
 */
async function findHolders(
  inodes: ReadonlySet<number>,
): Promise<{ holders: Map<number, number[]>; closed: number[] }> {
  const holders = new Map<number, number[]>()
  const closed: number[] = []
  let sliceEnd = performance.now() + SLICE_MS
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const found = socketsOf(pid)
    if (found === null) closed.push(pid)
    for (const inode of found ?? []) {
      if (!inodes.has(inode)) continue
      const pids = holders.get(inode)
      if (pids) pids.push(pid)
      else holders.set(inode, [pid])
    }
    if (performance.now() > sliceEnd) {
      await setImmediate()
      sliceEnd = performance.now() + SLICE_MS
    }
  }
  for (const pids of holders.values()) pids.sort((a, b) => a - b)
  return { holders, closed }
}

/** Inodes of a process's sockets, each once; null where it may not be looked into or has gone. */
function socketsOf(pid: number): Set<number> | null {
  const found = new Set<number>()
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const inode = socketInode(`/proc/${pid}/fd/${fd}`)
      if (inode !== null) found.add(inode)
    }
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
  return found
}

function socketInode(link: string): number | null {
  try {
    const target = readlinkSync(link)
    return target.startsWith('socket:[') ? Number(target.slice(8, -1)) : null
  } catch (error) {
    if (isGone(error)) return null // closed between the listing and now
    throw error
  }
}

async function ownerOf(pid: number, nameOf: (uid: number) => string): Promise<PortOwner | null> {
  const [uid, command] = await Promise.all([processUser(pid), processCommand(pid)])
  return uid === null ? null : { pid, command, cwd: folderOf(pid), user: nameOf(uid) }
}

function folderOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/**
 * Docker publishes a port through a process of root's that says in its arguments which one. Its descriptors are
 * closed to us, its command line is not: so the owner can be named all the same.
 */
async function dockerProxies(pids: readonly number[]): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  for (const pid of pids) {
    const published = dockerPublished(await processCommand(pid))
    if (published) found.set(published, [...(found.get(published) ?? []), pid])
  }
  return found
}

/** `tcp:8080` from the command line of a docker-proxy, null for any other. */
export function dockerPublished(command: string): string | null {
  if (!/(^|\/)docker-proxy /.test(command)) return null
  const port = / -host-port (\d+)/.exec(command)?.[1]
  const protocol = / -proto (\w+)/.exec(command)?.[1] ?? 'tcp'
  return port === undefined ? null : `${protocol}:${port}`
}

/** The package's own types are not reachable through its `exports`. */
type FindByPort = (by: 'port', port: number) => Promise<{ pid: number; cmd: string; uid?: number }[]>

/** The way of last resort: one pid a port, without address; it may be a client's (design: ports and kills). */
async function askFindProcess(ports: readonly number[]): Promise<PortListing[]> {
  if (ports.length === 0) return []
  const { default: find } = (await import('find-process')) as { default: FindByPort }
  const nameOf = await userNames()
  const listings: PortListing[] = []
  for (const port of ports) {
    const owners = (await find('port', port)).map(({ pid, cmd, uid }): PortOwner => {
      return { pid, command: cmd, cwd: null, user: uid === undefined ? '' : nameOf(uid) }
    })
    if (owners.length > 0)
      listings.push({ protocol: 'tcp', port, address: '', inode: 0, owners, service: null })
  }
  return listings
}
