/**
 * What travels between the daemon and everything that talks to it: the shapes of the control API, its
 * events and its errors. Imports nothing; every room may import it.
 */

/** Version of the control API, in every path (`/v1/…`) and as `v` in every document. */
export const API_VERSION = 1

/** The life of a service as people see it. `stopped` has released its ports, `held` has not. */
export type ServiceState =
  | 'held'
  | 'starting'
  | 'ready'
  | 'swapping'
  | 'failed'
  | 'stopping'
  | 'stopped'
  | 'conflict'
  | 'external'
  | 'done'

export type SwapPolicy = 'hold' | 'overlap' | 'exclusive'
export type Mode = 'listen' | 'accept' | 'relay'
/** How a generation came by its slot; null while it is not known. */
export type Handover = 'inherited' | 'preload' | 'kernel' | 'relay' | null

/** Why a service is in its state: `code` for programs, `message` and `hint` for people. */
export interface Reason {
  code: ReasonCode
  message: string
  hint: string | null
}

export type ReasonCode =
  | 'held' // bound, nothing has asked yet
  | 'first-connection'
  | 'eager'
  | 'requested' // start, restart, stop or sleep by a person
  | 'changed' // a watched file
  | 'configuration' // the configuration changed
  | 'idle'
  | 'retry'
  | 'exited'
  | 'spawn-failed'
  | 'not-ready'
  | 'retry-limit'
  | 'port-taken'
  | 'bind-failed'
  | 'external'
  | 'recovered' // found running after a restart of the daemon

/** Whoever has a port that a service declares. */
export interface PortOwner {
  pid: number
  command: string
  cwd: string | null
  user: string
}

export interface SocketStatus {
  name: string
  /** As people write it: `localhost:3001`, `unix:/path`. */
  address: string
  port: number | null
  url: string | null
  /** Connections the kernel has completed that no generation has accepted yet. */
  queued: number
  /** Established connections on this socket. */
  open: number
  owner: PortOwner | null
}

/** The receipt of a swap. Times in milliseconds. */
export interface SwapReceipt {
  from: number
  to: number
  cause: string
  /** `reload`: the same generation, which was sent its signal. */
  policy: SwapPolicy | 'reload'
  ms: number
  /** Connections that waited in the fresh slot until the next generation took them. */
  queued: number
  moved: number
  /** Connections that were still busy when the old generation had to end. */
  cut: number
}

export interface ExitStatus {
  code: number | null
  signal: string | null
  at: string
}

export interface ServiceStatus {
  /** `project/service` */
  id: string
  name: string
  mode: Mode
  state: ServiceState
  desired: 'up' | 'held' | 'down'
  generation: number
  pid: number | null
  reason: Reason
  handover: Handover
  sockets: SocketStatus[]
  activations: number
  swaps: number
  crashes: number
  /** Resident bytes of the generation's whole process group, null when nothing runs. */
  memory: number | null
  /** Percent of one core that group used lately (a second, while somebody watches); null: not known yet. */
  cpu: number | null
  readyAt: string | null
  lastConnectionAt: string | null
  /** When it goes to sleep if nobody connects until then; null: it is busy, or never sleeps by itself. */
  idleAt: string | null
  debugger: boolean
  lastSwap: SwapReceipt | null
  lastExit: ExitStatus | null
}

export interface ProjectStatus {
  id: string
  name: string
  dir: string
  config: string | null
  /** Problems of a configuration that was saved but not applied; the last good one goes on. */
  problems: Problem[]
  services: ServiceStatus[]
}

export interface DaemonStatus {
  pid: number
  holderPid: number
  version: string
  startedAt: string
  dashboard: string | null
}

export interface StatusDocument {
  v: typeof API_VERSION
  daemon: DaemonStatus | null
  projects: ProjectStatus[]
}

/** One thing wrong with a configuration: what, where, what to do. Lines and columns count from 1. */
export interface Problem {
  message: string
  hint: string | null
  file: string | null
  line: number | null
  column: number | null
  /** `services.api.listen` */
  path: string
  /** The line as it is written; absent where it is not known, or may hold a value of the environment. */
  text?: string
}

/** POST /v1/projects (control socket only). */
export interface UpRequest {
  dir: string
  /** Absolute path of the configuration; null: what the daemon finds in dir. */
  config: string | null
  /** The environment of this `up`; never shown again. */
  env: Record<string, string>
  /** Services to bring up; empty: all. */
  services: string[]
  watch: boolean
  autoPorts: boolean
  /** Soft and hard RLIMIT_NOFILE of the user's shell, and its umask. */
  limits: { nofile: [soft: number, hard: number] | null; umask: number }
  /** False: the project goes when the event stream that leased it closes. */
  detached: boolean
  /**
   * What to do about ports that others have, in place of every service's `onConflict`; null: what that says.
   * `wait`: the service stays, as `conflict`, and takes the port when it becomes free.
   */
  conflicts: 'wait' | 'use' | 'auto' | null
}

export interface UpReply {
  v: typeof API_VERSION
  project: ProjectStatus
  /** This request brought it up; false: it was up already. */
  started: boolean
  /** Milliseconds from the request until every socket was held. */
  ms: number
}

/** A verb for POST /v1/services/:project/:service/:verb */
export type ServiceVerb = 'start' | 'stop' | 'restart' | 'sleep'

/** GET /v1/dashboard (control socket only). Null where the dashboard could not be bound. */
export interface DashboardReply {
  v: typeof API_VERSION
  url: string | null
  /** With the token, for a person's eyes: whoever has it can steer every service. */
  link: string | null
}

/** One listening socket of this machine, and every process that has it open. */
export interface PortListing {
  protocol: 'tcp' | 'udp'
  port: number
  address: string
  inode: number
  owners: PortOwner[]
  /** `project/service` where it is one of devsock's. */
  service: string | null
}

/** GET /v1/services/:project/:service/logs: one line. `text` has no line end; undecodable bytes are U+FFFD. */
export interface LogLine {
  at: string
  project: string
  service: string
  generation: number
  /** Where it begins in its generation's log, in bytes. */
  offset: number
  text: string
}

/** Who connects to a service: another one, or a program that is none of devsock's. */
export interface Edge {
  /** `project/service`; of a program its name, which has no slash: `curl`. */
  from: string
  /** `project/service` */
  to: string
  /** Connections between them, as the kernel's tables have them. */
  open: number
  /** When one was last seen. */
  lastAt: string
}

/** A generation that a connection started, and who made it. */
export interface Wake {
  /** When its process began. */
  at: string
  /** `project/service` */
  service: string
  generation: number
  /** As in an edge; null: it had gone before anybody could look. */
  from: string | null
  /** Of the service that connected; null for a program. */
  fromGeneration: number | null
  /** Milliseconds until it was ready; null: it is not yet, or never was. */
  ms: number | null
}

interface EventBase {
  v: typeof API_VERSION
  /** Counts up by one for each event of a daemon's life; gaps mean that lines were missed. */
  seq: number
  at: string
}

/** Lines that came together, for a screen. */
export interface LogBatch {
  project: string
  service: string
  generation: number
  /** Where the first and the last of them begin in the log, in bytes. */
  first: number
  last: number
  lines: string[]
  /** Bytes before them that are not told, because nobody could have read them; the file has them. */
  passed: number
}

/** What GET /v1/events sends after its snapshot. */
export type DevsockEvent = EventBase &
  (
    | ({ type: 'snapshot'; edges: Edge[]; wakes: Wake[] } & Omit<StatusDocument, 'v'>)
    | { type: 'service'; project: string; service: string; generation: number; status: ServiceStatus }
    | { type: 'project'; project: string; status: ProjectStatus }
    | { type: 'project-gone'; project: string }
    | { type: 'swap'; project: string; service: string; generation: number; receipt: SwapReceipt }
    /** Replaces what was told of the same two before; so does a wake of the same generation. */
    | { type: 'edge'; project: string; edge: Edge }
    | { type: 'wake'; project: string; service: string; generation: number; wake: Wake }
    | { type: 'log'; project: string; service: string; generation: number; text: string }
    | ({ type: 'logs' } & LogBatch)
    | {
        type: 'notice'
        level: 'info' | 'warn' | 'error'
        project: string | null
        service: string | null
        message: string
      }
  )

/** First message of a client on GET /v1/events; what it wants to hear. */
export interface Subscription {
  /** Project ids; empty: all. */
  projects: string[]
  /** Log lines too: each as an event, or for a `screen`, in batches, of a flood only the end. */
  logs: boolean | 'screen'
  /** This stream keeps that project up: it is brought down when the stream closes. */
  lease: string | null
}

/** Exit codes of every command; `exec` alone exits as its command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  portTaken: 3,
  notUp: 4,
  timeout: 124,
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/**
 * Every failure a person or a script can meet, in one table: its exit code and its HTTP status.
 * The messages are made where the failure is known; the codes here are the contract.
 */
export const FAILURES = {
  usage: { exit: EXIT.usage, status: 400 },
  'configuration-missing': { exit: EXIT.usage, status: 404 },
  'configuration-invalid': { exit: EXIT.usage, status: 422 },
  'not-in-this-version': { exit: EXIT.usage, status: 501 },
  'unknown-service': { exit: EXIT.usage, status: 404 },
  'unknown-project': { exit: EXIT.notUp, status: 404 },
  'not-up': { exit: EXIT.notUp, status: 409 },
  'port-taken': { exit: EXIT.portTaken, status: 409 },
  'port-refused': { exit: EXIT.failed, status: 409 },
  'bind-failed': { exit: EXIT.failed, status: 409 },
  'service-failed': { exit: EXIT.failed, status: 409 },
  'nested-up': { exit: EXIT.usage, status: 409 },
  'run-as-root': { exit: EXIT.usage, status: 403 },
  'folder-unsafe': { exit: EXIT.failed, status: 500 },
  'path-too-long': { exit: EXIT.failed, status: 500 },
  'daemon-failed': { exit: EXIT.failed, status: 500 },
  'daemon-newer': { exit: EXIT.failed, status: 409 },
  'input-needed': { exit: EXIT.usage, status: 400 },
  timeout: { exit: EXIT.timeout, status: 504 },
  interrupted: { exit: EXIT.interrupted, status: 499 },
  unauthorized: { exit: EXIT.failed, status: 401 },
  forbidden: { exit: EXIT.failed, status: 403 },
  internal: { exit: EXIT.failed, status: 500 },
} as const satisfies Record<string, { exit: ExitCode; status: number }>

export type FailureCode = keyof typeof FAILURES

/** An expected failure, as a value: what happened, why, what to do. */
export interface Failure {
  code: FailureCode
  message: string
  hint: string | null
  problems?: Problem[]
  owners?: { service: string; address: string; port: number | null; owner: PortOwner | null }[]
}

export interface ErrorDocument {
  v: typeof API_VERSION
  error: Failure
}

export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure }

export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
export const fail = (
  code: FailureCode,
  message: string,
  hint: string | null = null,
  more: Pick<Failure, 'problems' | 'owners'> = {},
): Result<never> => ({ ok: false, failure: { code, message, hint, ...more } })
