import { readFile } from 'node:fs/promises'
import { SocketAddress } from 'node:net'
import { endianness } from 'node:os'

/** One row of /proc/net/{tcp,tcp6,udp,udp6} (proc_pid_net(5)). */
export interface SocketRow {
  protocol: 'tcp' | 'udp'
  /** Literal, as inet_ntop(3) writes it: `127.0.0.1`, `::`. */
  address: string
  port: number
  listening: boolean
  uid: number
  /** 0: the kernel keeps it without a file (TIME_WAIT). */
  inode: number
}

/** include/net/tcp_states.h. A UDP socket that is bound and not connected says TCP_CLOSE. */
const TCP_LISTEN = 0x0a
const TCP_TIME_WAIT = 0x06
const UDP_BOUND = 0x07

const FILES = [
  ['tcp', '/proc/net/tcp'],
  ['tcp', '/proc/net/tcp6'],
  ['udp', '/proc/net/udp'],
  ['udp', '/proc/net/udp6'],
] as const

/** Sockets of this network namespace that have a port; TIME_WAIT is left out, it has no owner. */
export async function readSockets(
  protocols: readonly ('tcp' | 'udp')[] = ['tcp', 'udp'],
): Promise<SocketRow[]> {
  const files = FILES.filter(([protocol]) => protocols.includes(protocol))
  const tables = await Promise.all(files.map(([protocol, path]) => readTable(protocol, path)))
  return tables.flat()
}

async function readTable(protocol: 'tcp' | 'udp', path: string): Promise<SocketRow[]> {
  try {
    return parseSockets(protocol, await readFile(path, 'latin1'))
  } catch (error) {
    // A kernel without IPv6 has no tcp6.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Rows of one table; what is not a row is left out. */
export function parseSockets(protocol: 'tcp' | 'udp', table: string): SocketRow[] {
  const rows: SocketRow[] = []
  for (const line of table.split('\n')) {
    const [, local, , state, , , , uid, , inode] = line.trim().split(/\s+/)
    if (!local || !state || !uid || !inode || !local.includes(':')) continue
    const [hex, portHex] = local.split(':')
    const port = Number.parseInt(portHex ?? '', 16)
    const code = Number.parseInt(state, 16)
    if (!hex || !port || (protocol === 'tcp' && code === TCP_TIME_WAIT)) continue
    const listening = code === (protocol === 'tcp' ? TCP_LISTEN : UDP_BOUND)
    rows.push({ protocol, address: literal(hex), port, listening, uid: Number(uid), inode: Number(inode) })
  }
  return rows
}

/** The kernel prints an address as 32-bit words of the machine's own byte order. */
function literal(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  if (bytes.length === 4) return bytes.join('.')
  const groups = bytes.toString('hex').match(/.{4}/g) ?? []
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}

/** Inode of whoever listens on a unix socket's path; null where nobody does (/proc/net/unix, unix(7)). */
export async function unixListener(path: string): Promise<number | null> {
  const ACCEPTS = 0x10000 // __SO_ACCEPTCON
  for (const line of (await readFile('/proc/net/unix', 'utf8')).split('\n')) {
    const row = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+) (.*)$/.exec(line)
    if (row && row[3] === path && Number.parseInt(row[1] ?? '', 16) & ACCEPTS) return Number(row[2])
  }
  return null
}
