/**
 * For servers: take the sockets that were passed instead of binding, and say when ready. The conventions are
 * systemd's, so the same server works under devsock, systemd, systemfd and podman, and by hand with none of them.
 *
 *   import { createServer } from 'node:http'
 *   import { listen } from 'devsock/activation'
 *   await listen(createServer(answer), { port: 3000 })
 *
 * All of it is plain Node but {@link notify}, {@link isSocketInet} and {@link isSocketUnix}: Node can neither
 * send to a unix datagram socket nor ask a descriptor for its address, so these load devsock's addon when they
 * are first called, and throw one line that says what to do where it is missing.
 *
 * `DEVSOCK=0` turns it off: nothing is taken, nobody is notified.
 */
import { fstatSync } from 'node:fs'
import type { AddressInfo, Server } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { sendDatagram, socketInfo } from './index.ts'

/** SD_LISTEN_FDS_START */
const FIRST_FD = 3
/** What systemd binds with, and devsock; a plain `listen({ fd })` would cut the queue to Node's 511. */
const BACKLOG = 4096

export interface ActivationSocket {
  fd: number
  /** From LISTEN_FDNAMES; `unknown` where there is none. */
  name: string
}

// Kept, because the environment is cleared of it: a descriptor is passed to a process once.
let passed: ActivationSocket[] | undefined
const taken = new Set<number>()

/**
 * The sockets that this process was given, in order, as sd_listen_fds(3): none unless LISTEN_PID is this process.
 * At its first call it removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from the environment, so that no child
 * takes them for its own; later calls answer the same. (Close-on-exec they are already: Node sees to that when it
 * starts.) The descriptors are the caller's. A worker thread is given none.
 */
export function listenFds(): ActivationSocket[] {
  passed ??= readEnvironment()
  return [...passed]
}

/** The same by name, as sd_listen_fds_with_names(3): a name may stand for several. */
export function listenFdsWithNames(): Map<string, number[]> {
  const byName = new Map<string, number[]>()
  for (const { fd, name } of listenFds()) byName.set(name, [...(byName.get(name) ?? []), fd])
  return byName
}

export interface ListenOptions {
  /** The passed socket of that name; without one, the next that no `listen` has taken. */
  name?: string
  /** Bound when no socket was passed; PORT of the environment unless given. */
  port?: number
  /** Where that is bound; `localhost` unless given: reachable from this machine only. */
  host?: string
}

/**
 * Listens on the socket that was passed, and else on a port: the same server runs either way. Resolves with what
 * `server.address()` says when it listens; rejects with its error (EADDRINUSE …).
 */
export async function listen(
  server: Server,
  { name, port, host = 'localhost' }: ListenOptions = {},
): Promise<AddressInfo | string | null> {
  const socket = listenFds().find((each) => !taken.has(each.fd) && (name === undefined || each.name === name))
  if (socket) taken.add(socket.fd)
  const wanted = port ?? environmentPort()
  if (!socket && wanted === null) {
    throw new TypeError('no socket was passed, and no port is known: give listen() a `port`, or set PORT')
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const listening = (): void => {
      server.off('error', reject)
      resolve(server.address())
    }
    if (socket) server.listen({ fd: socket.fd }, BACKLOG, listening)
    else server.listen({ port: wanted ?? 0, host }, listening)
  })
}

/** What a server may say of itself: sd_notify(3), which also has the fields that are not named here. */
export interface Notification {
  /** It serves now; also ends a reload. */
  ready?: true
  reloading?: true
  stopping?: true
  /** One line for people. */
  status?: string
  /** Keep-alive of WatchdogSec= */
  watchdog?: true
  /** Asks for this many more milliseconds to start or stop. */
  extendTimeoutMs?: number
}

/**
 * Tells whoever started this server, as sd_notify(3). False: nobody asked (NOTIFY_SOCKET is not set). Throws a
 * SystemError when it cannot be delivered, and for a socket that is none of this machine's (vsock). A string is
 * sent as it is: `VARIABLE=value` lines.
 */
export function notify(state: Notification | string): boolean {
  const address = process.env.NOTIFY_SOCKET
  if (!address || isOff()) return false
  if (!/^[/@]/.test(address))
    throw new TypeError(`NOTIFY_SOCKET is ${address}: only unix sockets are supported`)
  sendDatagram(address, Buffer.from(typeof state === 'string' ? state : notification(state)))
  return true
}

/** Whether a descriptor is a socket at all; false, too, for one that is not open. Plain Node. */
export function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EBADF') return false
    throw error
  }
}

/** As sd_is_socket_inet(3): an IPv4 or IPv6 socket, with that port or listening state where one is given. */
export function isSocketInet(fd: number, wanted: { port?: number; listening?: boolean } = {}): boolean {
  if (!isSocket(fd)) return false
  const { family, port, listening } = socketInfo(fd)
  return family !== 'unix' && (wanted.port ?? port) === port && (wanted.listening ?? listening) === listening
}

/** As sd_is_socket_unix(3); an abstract name begins with `@`. */
export function isSocketUnix(fd: number, wanted: { path?: string; listening?: boolean } = {}): boolean {
  if (!isSocket(fd)) return false
  const { family, address, listening } = socketInfo(fd)
  return (
    family === 'unix' && (wanted.path ?? address) === address && (wanted.listening ?? listening) === listening
  )
}

function readEnvironment(): ActivationSocket[] {
  if (isOff() || !isMainThread) return []
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[name]
  if (wholeNumber(LISTEN_PID) !== process.pid) return []
  const names = LISTEN_FDNAMES?.split(':') ?? []
  const sockets = Array.from({ length: wholeNumber(LISTEN_FDS) ?? 0 }, (_, i) => ({
    fd: FIRST_FD + i,
    name: names[i] || 'unknown',
  }))
  // What a wrapper closed on the way (Node does, to its children) is somebody else's number by now, or nobody's.
  return sockets.filter(({ fd }) => isSocket(fd))
}

function notification({
  ready,
  reloading,
  stopping,
  status,
  watchdog,
  extendTimeoutMs,
}: Notification): string {
  const lines: string[] = []
  if (reloading) lines.push('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  if (ready) lines.push('READY=1')
  if (stopping) lines.push('STOPPING=1')
  if (status !== undefined) lines.push(`STATUS=${status.replaceAll('\n', ' ')}`)
  if (watchdog) lines.push('WATCHDOG=1')
  if (extendTimeoutMs !== undefined) lines.push(`EXTEND_TIMEOUT_USEC=${Math.round(extendTimeoutMs * 1000)}`)
  return lines.join('\n')
}

const isOff = (): boolean => process.env.DEVSOCK === '0'

function environmentPort(): number | null {
  const port = wholeNumber(process.env.PORT)
  return port !== null && port <= 65535 ? port : null
}

const wholeNumber = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null
