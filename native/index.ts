/**
 * The typed façade over the addon: the only TypeScript that loads the `.node` file. Checks are here,
 * system calls are in C++ (native/addon). Every call that fails throws a {@link SystemError} that names
 * the call, the errno and the address.
 */

import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { locate } from './locate.ts'

/** What every failing system call throws. `code` is the errno's name: `EADDRINUSE`. */
export interface SystemError extends Error {
  code: string
  errno: number
  syscall: string
  address?: string
}

/** One owned file descriptor. Close-on-exec from its first moment; closed once, by close() or by the garbage collector. */
export interface Descriptor extends Disposable {
  /** The number, for a call that takes one at once; -1 after close() or release(). */
  readonly fd: number
  /** Idempotent. */
  close(): void
  /** Gives the number away: the caller closes it. */
  release(): number
  duplicate(): Descriptor
}

export interface Credentials {
  pid: number
  uid: number
  gid: number
}

/** A connected AF_UNIX SOCK_SEQPACKET socket: whole messages, each with descriptors (unix(7)). */
export interface Seqpacket extends Disposable {
  /** SO_PEERCRED at connect time. */
  readonly peer: Credentials
  /**
   * Sends one message; what does not fit the kernel's buffer is kept in order and sent when it does. The
   * descriptors stay the caller's. Throws for what can never be sent (EMSGSIZE, EBADF, ETOOMANYREFS); that the
   * other end has gone is told by `onClose` alone.
   */
  send(data: Uint8Array, descriptors?: readonly Descriptor[]): void
  /**
   * `onMessage` gets every message and owns its descriptors; fewer than were sent arrive where this process has
   * no number left for them (EMFILE). `onClose` comes once, after the last message, when the other end or an
   * error ends it; not after a close() from here. Once started it keeps the process alive until it is closed, or
   * after unref() not at all.
   */
  start(
    onMessage: (data: Buffer, descriptors: Descriptor[]) => void,
    onClose: (error: SystemError | null) => void,
  ): void
  unref(): void
  /** Idempotent. What was not sent yet is lost. */
  close(): void
}

export interface SocketInfo {
  family: 'inet' | 'inet6' | 'unix'
  type: 'stream' | 'dgram' | 'seqpacket'
  listening: boolean
  /** Literal address, or the path of a unix socket ('' unnamed). */
  address: string
  port: number | null
}

/** One row of sock_diag(7) for TCP. */
export interface Connection {
  inode: number
  state:
    | 'established'
    | 'syn-sent'
    | 'syn-recv'
    | 'fin-wait-1'
    | 'fin-wait-2'
    | 'time-wait'
    | 'close'
    | 'close-wait'
    | 'last-ack'
    | 'listen'
    | 'closing'
  uid: number
  localAddress: string
  localPort: number
  remoteAddress: string
  remotePort: number
  /** Bytes not yet read by the program; for a listener, connections not yet accepted. */
  receiveQueue: number
  /** Bytes not yet acknowledged by the other end; for a listener, its backlog. */
  sendQueue: number
  /** Milliseconds since the last data went each way; null without TCP_INFO. */
  lastSentMs: number | null
  lastReceivedMs: number | null
  /** Segments with data in them that went each way; null without TCP_INFO, 0 before Linux 4.6. */
  segmentsSent: number | null
  segmentsReceived: number | null
}

/** A process that has a socket open. */
export interface SocketOwner {
  inode: number
  pid: number
  /** Its process group. */
  group: number
}

/** A wait for a descriptor; close() ends it early. After unref() it does not keep the process alive. */
export interface Watch extends Disposable {
  unref(): void
  close(): void
}

/** One event of inotify(7). */
export interface FileEvent {
  /** What `add` returned; -1 for `lost`. */
  watch: number
  /** Of a folder's entry; null for what is watched itself. */
  name: string | null
  /** The file is whole: its writer has closed it, or it was moved here. */
  complete: boolean
  /** Something has come or gone under this name. */
  cameOrWent: boolean
  /** Events were dropped (max_queued_events). */
  lost: boolean
  /** The watch has ended: what was watched is deleted, or unmounted. */
  ended: boolean
}

/** Watches on files and folders, one descriptor for all. Keeps the process alive until it is closed. */
export interface FileEvents extends Disposable {
  /** Another path to the same file gives the same number. ENOSPC: max_user_watches are used up. */
  add(path: string): number
  remove(watch: number): void
  /** Idempotent. */
  close(): void
}

/** What the addon exports; nothing else knows this shape. */
interface Binding {
  Descriptor: { prototype: { close(): void } }
  Seqpacket: { prototype: { close(): void } }
  Watch: { prototype: { close(): void } }
  FileEvents: { prototype: { close(): void } }
  connectSeqpacket(path: string): Seqpacket
  seqpacketPair(): [Seqpacket, Seqpacket]
  onReadable(descriptor: Descriptor, callback: () => void): Watch
  fileEvents(callback: (watch: number, mask: number, name: string | null) => void): FileEvents
  socketInfo(descriptor: Descriptor | number): SocketInfo
  queueDepth(descriptor: Descriptor): number
  accept(descriptor: Descriptor): number | null
  probeIp(host: string, port: number, slot: number): Descriptor
  probeUnix(path: string): Descriptor
  finishWriting(descriptor: Descriptor): void
  connections(states: number, localPort: number): Connection[]
  socketOwners(inodes: readonly number[], groups: readonly number[]): SocketOwner[]
  bindDatagram(path: string): Descriptor
  sendDatagram(path: string, data: Uint8Array): void
  memoryFile(name: string, content: Uint8Array): Descriptor
  duplicate(fd: number): Descriptor
  setCloseOnExec(fd: number, on: boolean): void
  setNonblocking(descriptor: Descriptor, on: boolean): void
  pidfdOpen(pid: number): Descriptor
  pidfdSignal(descriptor: Descriptor, signal: number): void
  pidfdExited(descriptor: Descriptor): boolean
  tripwire(paths: readonly string[]): Descriptor
  punchHole(fd: number, offset: number, length: number): void
  limits(): { nofile: [soft: number, hard: number] }
  raiseFileLimit(): void
}

// The one thing here that is kept: a shared object is loaded once a process, at the first call that needs it.
let loaded: Binding | undefined

function binding(): Binding {
  if (loaded) return loaded
  const exports: Binding = createRequire(import.meta.url)(locate('devsock.node'))
  for (const { prototype } of [exports.Descriptor, exports.Seqpacket, exports.Watch, exports.FileEvents]) {
    Object.defineProperty(prototype, Symbol.dispose, { value: prototype.close, configurable: true })
  }
  loaded = exports
  return exports
}

/** The holder's executable, found as the addon is. Throws when it has not been built. */
export const holderPath = (): string => locate('devsock-holder')

/** Connects to a seqpacket socket by its path, at once or not at all (ECONNREFUSED, ENOENT, EAGAIN: its queue is full). */
export const connectSeqpacket = (path: string): Seqpacket => binding().connectSeqpacket(path)

/** Two connected ends (socketpair(2)): a private channel to a child, and what tests talk through. */
export const seqpacketPair = (): [Seqpacket, Seqpacket] => binding().seqpacketPair()

/** A sealed memfd with that content, to be read from its start (memfd_create(2)); `name` shows in /proc only. */
export const memoryFile = (name: string, content: Uint8Array): Descriptor =>
  binding().memoryFile(name, content)

/** An owned, close-on-exec duplicate of a number that something else owns (F_DUPFD_CLOEXEC). */
export const duplicate = (fd: number): Descriptor => binding().duplicate(descriptorNumber(fd))

export const setCloseOnExec = (fd: number, on: boolean): void =>
  binding().setCloseOnExec(descriptorNumber(fd), on)

/** O_NONBLOCK, a flag of the file description: whoever shares it is switched too. */
export const setNonblocking = (descriptor: Descriptor, on: boolean): void =>
  binding().setNonblocking(descriptor, on)

/** What a socket is: getsockname(2), SO_TYPE, SO_ACCEPTCONN. Throws ENOTSOCK for anything else. */
export const socketInfo = (descriptor: Descriptor | number): SocketInfo => binding().socketInfo(descriptor)

/**
 * Connections that a listener has completed and no program has accepted: of TCP its TCP_INFO (tcpi_unacked),
 * of a unix socket sock_diag(7). Throws EINVAL where the socket does not listen.
 */
export const queueDepth = (descriptor: Descriptor): number => binding().queueDepth(descriptor)

/**
 * Takes one connection that waits, close-on-exec and non-blocking; null when none does. The number is the
 * caller's (it goes to `new net.Socket({ fd })`). A blocking listener is asked first, so this does not wait;
 * where another program may accept from it at the same moment, make it non-blocking (see setNonblocking).
 */
export const accept = (descriptor: Descriptor): number | null => binding().accept(descriptor)

/**
 * Begins a connection and does not wait for it. Of a TCP socket `slot` gets it whichever is steered to, named
 * by the DSCP of the SYN (ARCHITECTURE.md, "Steering"); `host` is a literal address.
 */
export function probe(target: { host: string; port: number; slot: number } | { path: string }): Descriptor {
  if ('path' in target) return binding().probeUnix(target.path)
  // 6 bits of DSCP, of which 4·slot+3 names one of sixteen.
  if (!within(target.slot, 0, 15)) throw new RangeError(`slot ${target.slot} is not 0 to 15`)
  if (!within(target.port, 1, 65535)) throw new RangeError(`port ${target.port} is not 1 to 65535`)
  return binding().probeIp(target.host, target.port, target.slot)
}

/** Nothing more will be sent: who reads from the other end comes to the end of it (shutdown(2), SHUT_WR). */
export const finishWriting = (connection: Descriptor): void => binding().finishWriting(connection)

// Bits of linux/tcp_states.h. Connected: all but time-wait (6), close (7) and listen (10); 12 is a request socket.
const STATES = { listening: 1 << 10, connected: 0x1b3e, all: 0x1fff }

/**
 * The TCP sockets of this machine (of this network namespace), v4 and v6, by INET_DIAG. `connected` is a
 * connection with two ends, opening and closing ones too; time-wait has lost its program and is none.
 */
export function connections(options: {
  localPort?: number
  states?: 'listening' | 'connected' | 'all'
}): Connection[] {
  const port = options.localPort ?? 0
  if (!within(port, 0, 65535)) throw new RangeError(`port ${port} is not 0 to 65535`)
  return binding().connections(STATES[options.states ?? 'all'], port)
}

/**
 * Who has these sockets open, one process each: looked for among the processes of these groups first, then among all
 * others that may be looked at, the newest first. EMFILE where no descriptor is left to look with.
 */
export const socketOwners = (inodes: readonly number[], groups: readonly number[]): SocketOwner[] =>
  binding().socketOwners(inodes, groups)

/** A unix datagram socket that receives at a path, in place of whatever was there (unix(7)). */
export const bindDatagram = (path: string): Descriptor => binding().bindDatagram(path)

/** Sends one datagram to a unix socket (`@name`: abstract), as sd_notify(3) does; EAGAIN when its queue is full. */
export const sendDatagram = (path: string, data: Uint8Array): void => binding().sendDatagram(path, data)

/** A process by a handle that no other process can inherit (pidfd_open(2)); ESRCH when it has gone. */
export const pidfdOpen = (pid: number): Descriptor => binding().pidfdOpen(pid)

/** ESRCH when the process has ended. */
export const pidfdSignal = (descriptor: Descriptor, signal: NodeJS.Signals | number): void =>
  binding().pidfdSignal(descriptor, typeof signal === 'number' ? signal : constants.signals[signal])

/** The process has ended, whether or not its parent has noticed. */
export const pidfdExited = (descriptor: Descriptor): boolean => binding().pidfdExited(descriptor)

/**
 * Calls back once, when the descriptor is readable (a pidfd: when its process has ended), and keeps the process
 * alive until then. Watches a duplicate, so the caller may close its own. Refuses a listening socket: libuv
 * would make it non-blocking for the server that accepts from it.
 */
export const onReadable = (descriptor: Descriptor, callback: () => void): Watch =>
  binding().onReadable(descriptor, callback)

// Bits of linux/inotify.h.
const COMPLETE = 0x8 | 0x80 // IN_CLOSE_WRITE, IN_MOVED_TO
const CAME_OR_WENT = 0x100 | 0x200 | 0x40 | 0x80 | 0x400 | 0x800 // IN_CREATE, IN_DELETE, IN_MOVED_FROM, _TO, IN_DELETE_SELF, IN_MOVE_SELF
const LOST = 0x4000 // IN_Q_OVERFLOW
const ENDED = 0x8000 // IN_IGNORED

/** Opens an inotify(7) instance. EMFILE: max_user_instances are used up. ENOSYS where there is no inotify. */
export const fileEvents = (onEvent: (event: FileEvent) => void): FileEvents =>
  binding().fileEvents((watch, mask, name) =>
    onEvent({
      watch,
      name,
      complete: (mask & COMPLETE) !== 0,
      cameOrWent: (mask & CAME_OR_WENT) !== 0,
      lost: (mask & LOST) !== 0,
      ended: (mask & ENDED) !== 0,
    }),
  )

/**
 * A descriptor that becomes readable, and stays so, in the very system call that writes to one of these files,
 * replaces, renames or deletes it (inotify(7); one that is open or mapped is deleted when it is closed). Files that are
 * not there are left out.
 * EMFILE, ENOSPC: max_user_instances, max_user_watches are used up. ENOSYS where there is no inotify.
 */
export const tripwire = (paths: readonly string[]): Descriptor => binding().tripwire(paths)

/** Gives a part of a file back to the disk; its size stays, the part reads as zeros (fallocate(2)). */
export const punchHole = (fd: number, offset: number, length: number): void =>
  binding().punchHole(descriptorNumber(fd), offset, length)

/** This process's own limits. Without one: the largest safe integer. */
export const limits = (): { nofile: [soft: number, hard: number] } => binding().limits()

/** RLIMIT_NOFILE: the soft limit becomes the hard one. */
export const raiseFileLimit = (): void => binding().raiseFileLimit()

const within = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most

function descriptorNumber(fd: number): number {
  if (within(fd, 0, 0x7fffffff)) return fd
  throw new RangeError(`${fd} is no file descriptor`)
}
