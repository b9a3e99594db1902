import { isIPv4, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import type { Address, ResolvedSocket } from './types.ts'

/** What a parser makes of text: a value, or what is wrong with it and what to write instead. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; message: string; hint: string | null }

/**
 * Longest path of a Unix socket in bytes: `sun_path` has 108 with its NUL (unix(7)), and a slot is bound
 * as `PATH~` before it takes its place. A longer one is cut without a word by Node, and refused by bind().
 */
export const MAX_UNIX_PATH = 106

const FORMS = 'write 3000, "127.0.0.1:3000", "[::1]:3000", "*:3000", "unix:./app.sock" or "auto"'
const LATER = /^(udp|unix-dgram|seqpacket):/
const DEFAULT_UNIX_MODE = 0o600

/** Reads an address as people write it. A Unix path becomes absolute from `cwd`; `mode` are its permissions. */
export function parseAddress(
  written: number | string,
  cwd: string,
  mode = DEFAULT_UNIX_MODE,
): Parsed<Address> {
  if (typeof written === 'number')
    return onPort(written, String(written), (port) => ({ kind: 'loopback', port }))
  const text = written.trim()
  if (text === '') return wrong('the address is empty', FORMS)
  if (text === 'auto') return right({ kind: 'auto' })
  const later = LATER.exec(text)
  if (later) return wrong(`${later[0]} sockets are not in this version`, 'use a TCP port or "unix:PATH"')
  if (text.startsWith('unix:')) return unixAddress(text.slice('unix:'.length), cwd, mode)
  if (/^\d+$/.test(text)) return onPort(Number(text), text, (port) => ({ kind: 'loopback', port }))
  return hostAddress(text)
}

/** The text that parses to this address. */
export function printAddress(address: Address): string {
  switch (address.kind) {
    case 'loopback':
      return `localhost:${address.port}`
    case 'ip':
      return `${bracketed(address.host)}:${address.port}`
    case 'wildcard':
      return `*:${address.port}`
    case 'auto':
      return 'auto'
    case 'unix':
      return `unix:${address.path}`
  }
}

/** The port of an address, null where it has none (yet). */
export function addressPort(address: Address): number | null {
  return 'port' in address ? address.port : null
}

/**
 * `http://localhost:3001/`: where a client of this machine reaches a socket. `port` is the one it is bound
 * to. A Unix socket has no URL that programs agree on: null.
 */
export function socketUrl(
  socket: Pick<ResolvedSocket, 'address' | 'protocol'>,
  port: number | null,
): string | null {
  const { address, protocol } = socket
  if (address.kind === 'unix' || port === null) return null
  const anywhere = address.kind !== 'ip' || address.host === '0.0.0.0' || address.host === '::'
  const host = anywhere ? 'localhost' : bracketed(address.host)
  return protocol === 'tcp' ? `tcp://${host}:${port}` : `${protocol}://${host}:${port}/`
}

/**
 * Whether both cannot be bound at once. A dual-stack wildcard collides with every address of its port, and
 * so does loopback, which is one, bound to the device `lo`.
 */
export function overlap(a: Address, b: Address): boolean {
  if (a.kind === 'unix' && b.kind === 'unix') return a.path === b.path
  if (a.kind === 'unix' || b.kind === 'unix') return false
  if (a.kind === 'auto' || b.kind === 'auto' || a.port !== b.port) return false
  if (a.kind !== 'ip' || b.kind !== 'ip') return true
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host)
}

function covers(wildcard: string, host: string): boolean {
  return wildcard === '::' || (wildcard === '0.0.0.0' && isIPv4(host))
}

function hostAddress(text: string): Parsed<Address> {
  const bracket = /^\[(.*)\](?::(.*))?$/.exec(text)
  const colon = text.lastIndexOf(':')
  const host = bracket ? (bracket[1] ?? '') : colon < 0 ? text : text.slice(0, colon)
  const port = bracket ? bracket[2] : colon < 0 ? undefined : text.slice(colon + 1)

  if (!bracket && isIPv6(text)) return wrong(`${text} has no port`, `write "[${text}]:3000", with brackets`)
  if (port === undefined || port === '') {
    return wrong(
      `${JSON.stringify(text)} has no port`,
      isHost(host, bracket !== null) ? `write "${text.replace(/:$/, '')}:3000"` : FORMS,
    )
  }
  if (bracket && !isIPv6(host)) return wrong(`${JSON.stringify(host)} is no IPv6 address`, FORMS)
  if (host.includes('%')) return wrong(`addresses with a zone (${host}) are not in this version`, null)
  if (!bracket && isIPv6(host)) {
    return wrong(`an IPv6 address needs brackets before its port`, `write "[${host}]:${port}"`)
  }
  if (!isHost(host, bracket !== null)) {
    return wrong(
      `${JSON.stringify(host)} is no address`,
      /^[a-z][\w.-]*$/i.test(host) ? `a name is not looked up; ${FORMS}` : FORMS,
    )
  }
  if (!/^\d+$/.test(port))
    return wrong(`${JSON.stringify(port)} is no port`, 'a port is a number from 1 to 65535')
  return onPort(Number(port), port, (number) => {
    if (host === 'localhost') return { kind: 'loopback', port: number }
    if (host === '*') return { kind: 'wildcard', port: number }
    return { kind: 'ip', host: bracket ? shortestIPv6(host) : host, port: number }
  })
}

function isHost(host: string, brackets: boolean): boolean {
  return brackets ? isIPv6(host) : host === 'localhost' || host === '*' || isIPv4(host)
}

function onPort(port: number, written: string, make: (port: number) => Address): Parsed<Address> {
  if (port === 0) return wrong('port 0 is no fixed port', 'write "auto" for a free one')
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    return wrong(`port ${written} is out of range`, 'a port is a number from 1 to 65535')
  }
  return right(make(port))
}

function unixAddress(path: string, cwd: string, mode: number): Parsed<Address> {
  if (path === '') return wrong('"unix:" has no path', 'write "unix:./app.sock"')
  if (path.includes('\0')) return wrong('the path of a Unix socket cannot hold a NUL', null)
  if (path.endsWith('/'))
    return wrong(`${JSON.stringify(path)} names a folder`, 'write the path of the socket itself')
  const absolute = resolve(cwd, path)
  const bytes = Buffer.byteLength(absolute)
  if (bytes > MAX_UNIX_PATH) {
    return wrong(
      `the path of the Unix socket is ${bytes} bytes long, ${MAX_UNIX_PATH} at most: ${absolute}`,
      'the system allows 107, and a swap needs one more; choose a shorter path, such as one in /run/user or your home folder',
    )
  }
  return right({ kind: 'unix', path: absolute, mode })
}

/** `::0001` and `::1` are one address: the URL parser writes RFC 5952's form. */
function shortestIPv6(host: string): string {
  return new URL(`http://[${host}]/`).hostname.slice(1, -1)
}

const bracketed = (host: string): string => (isIPv6(host) ? `[${host}]` : host)
const right = (value: Address): Parsed<Address> => ({ ok: true, value })
const wrong = (
  message: string,
  hint: string | null,
): { ok: false; message: string; hint: string | null } => ({
  ok: false,
  message,
  hint,
})
