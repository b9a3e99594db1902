/**
 * The typed façade over the addon: the only TypeScript that loads the `.node` file. Checks are here,
 * system calls are in C++ (native/addon). Every call that fails throws a {@link SystemError} that names
 * the call, the errno and the address.
 */

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
  /** Sends one message; what does not fit the kernel's buffer is kept in order and sent when it does. */
  send(data: Uint8Array, descriptors?: readonly Descriptor[]): void
  /** `onMessage` gets every message and owns its descriptors; `onClose` comes once, also after an error. */
  start(onMessage: (data: Buffer, descriptors: Descriptor[]) => void, onClose: (error: SystemError | null) => void): void
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
  state: 'established' | 'syn-sent' | 'syn-recv' | 'fin-wait-1' | 'fin-wait-2' | 'time-wait' | 'close' | 'close-wait' | 'last-ack' | 'listen' | 'closing'
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
}
