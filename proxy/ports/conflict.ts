import type { Address } from '../config/types.ts'
import type { PortListing, PortOwner } from '../protocol.ts'
import { distinctOwners, listListeners, ownersOfInode } from './listeners.ts'
import { obstacles } from './overlap.ts'
import { readSockets, unixListener } from './proc-net.ts'
import { describeOwner } from './process.ts'

/** Why an address cannot be bound: who has it. */
export interface Conflict {
  owners: PortOwner[]
  /**
   * `listening` servers may be asked to go; a program that is `connected` merely uses the port as its own end of
   * a connection and is never to be ended for that; `bound` is a socket that no table shows (bound, not
   * listening).
   */
  how: 'listening' | 'connected' | 'bound'
  /** `port 3000 is taken by node server.js (pid 4242, ~/shop, alice)` */
  message: string
}

/**
 * Who keeps `address` from being bound. To be asked after bind() has failed with EADDRINUSE: so there is always
 * somebody, seen or not. `port` is the number that was tried (an `auto` address has none of its own).
 */
export async function conflictOf(address: Address, port: number): Promise<Conflict> {
  if (address.kind === 'unix') return unixConflict(address.path)
  const listings = (await listListeners({ ports: [port] })).filter((listing) => listing.protocol === 'tcp')
  const inTheWay = obstacles(address, listings)
  if (inTheWay.length > 0) {
    const owners = distinctOwners(inTheWay)
    return { owners, how: 'listening', message: takenBy(`port ${port}`, owners) }
  }
  return hiddenConflict(port)
}

/** The conflict's sentence for any list of listeners: `devsock ports`, `devsock free`. */
export function takenBy(what: string, owners: readonly PortOwner[]): string {
  return `${what} is taken by ${owners.map(describeOwner).join(' and ')}`
}

/** True when somebody who listens now would keep `address` from being bound. */
export function isTaken(address: Address, listings: readonly Pick<PortListing, 'address'>[]): boolean {
  return obstacles(address, listings).length > 0
}

async function hiddenConflict(port: number): Promise<Conflict> {
  const sockets = (await readSockets(['tcp'])).filter(
    (row) => row.port === port && !row.listening && row.inode > 0,
  )
  const owners = distinctOwners(
    await Promise.all(
      sockets.map(async ({ address, inode, protocol }): Promise<PortListing> => {
        return { protocol, port, address, inode, owners: await ownersOfInode(inode), service: null }
      }),
    ),
  )
  if (owners.length > 0) {
    const message = `port ${port} is in use as the near end of a connection of ${owners.map(describeOwner).join(' and ')}`
    return { owners, how: 'connected', message }
  }
  const message = `port ${port} is bound by a socket that neither listens nor is connected; the kernel does not say whose`
  return { owners: [], how: 'bound', message }
}

async function unixConflict(path: string): Promise<Conflict> {
  const inode = await unixListener(path)
  const owners = inode === null ? [] : await ownersOfInode(inode)
  if (owners.length > 0) return { owners, how: 'listening', message: takenBy(path, owners) }
  return { owners, how: 'bound', message: `${path} exists, and is no socket that devsock may replace` }
}
