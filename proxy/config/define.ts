/**
 * What a person writes in `devsock.config.ts`. This file is the package's main export: it has types and
 * two functions that return what they are given, and imports nothing.
 *
 * The same shapes are checked at run time by `written.ts`, which the compiler holds to these.
 */

/** A time: a number is milliseconds; or a number with its unit, `'500ms'`, `'5s'`, `'15m'`, `'1h'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`

/** A signal that asks a program to do something. */
export type SignalName =
  | 'SIGTERM'
  | 'SIGINT'
  | 'SIGHUP'
  | 'SIGQUIT'
  | 'SIGUSR1'
  | 'SIGUSR2'
  | 'SIGWINCH'
  | 'SIGALRM'
  | 'SIGABRT'
  | 'SIGKILL'

/**
 * Where a socket listens.
 *
 * - `3000`, `'localhost:3000'`: this machine only, 127.0.0.1 and ::1 both
 * - `'127.0.0.1:3000'`, `'[::1]:3000'`: that address
 * - `'*:3000'`: all interfaces
 * - `'unix:./app.sock'`: a Unix socket, relative to the service's `cwd`
 * - `'auto'`: a free port, the same one each time for this project, worktree and service
 */
export type AddressText = number | string

/** A socket with more to say than its address. */
export interface SocketConfig {
  address: AddressText
  /** For variables, `${service.name.port}` and LISTEN_FDNAMES. Default: `http` for the first. */
  name?: string
  /** The port that the program itself believes it binds, where that is not the held one. */
  binds?: number
  /** Connections that may wait until they are accepted. Default: 4096. */
  backlog?: number
  /** Permissions of a Unix socket: `0o600` (default), or as text, `'600'`. */
  mode?: number | string
  /** What is spoken on it: decides its URL, and which connections are idle. Default: `http`. */
  protocol?: 'http' | 'https' | 'tcp'
}

/** One socket, a list of them, or `{ name: socket }`. `false`: no socket, a worker. */
export type Listen =
  | AddressText
  | SocketConfig
  | (AddressText | SocketConfig)[]
  | { [name: string]: AddressText | SocketConfig }
  | false

/** When a generation counts as ready: one of `notify`, `log`, `http`; default: when it accepts. */
export interface ReadyConfig {
  /** It sends READY=1 to NOTIFY_SOCKET, as sd_notify(3). */
  notify?: boolean
  /** It writes a line that this regular expression matches. */
  log?: string
  /** A GET of this path on its first socket is answered with a status below 400. */
  http?: string
  /** It has failed if it is not ready by then. Default: `'30s'`. */
  timeout?: Duration
}

export interface StopConfig {
  /** What asks it to end. Default: `SIGTERM`. */
  signal?: SignalName
  /** After that long it gets SIGKILL. Default: `'5s'`. */
  timeout?: Duration
}

/** What is done about a service that ends by itself. */
export interface RetryConfig {
  /** So many ends within `within`, and it has failed until it changes or is started. Default: 5. */
  limit?: number
  /** Default: `'10s'`. */
  within?: Duration
  /** Wait before it is started again. Default: `'500ms'`. */
  delay?: Duration
}

export interface ServiceConfig {
  /** A string runs in sh, a list is executed as it is. */
  command: string | string[]
  /** What it listens on. Default: the usual port of the framework that the command starts. */
  listen?: Listen
  /** `on-demand` (default): with the first connection. `eager`: with the project; so is a worker. `manual`: by `devsock start`. */
  start?: 'on-demand' | 'eager' | 'manual'
  /** Files, as globs relative to `cwd`, whose change swaps it; `!` leaves out. Default: none, the server has a reloader of its own. */
  watch?: string | string[] | false
  /**
   * How a change replaces the running generation. `hold` (default): new connections wait for the new one, no old code is served.
   * `overlap`: the old one serves until the new one is ready. `exclusive`: the old one ends first;
   * the default of a framework that can run once in a folder, in the short form.
   */
  swap?: 'hold' | 'overlap' | 'exclusive'
  /** A signal that a change sends to its first process instead of a swap, for servers that replace their own workers: `SIGHUP`. */
  reload?: SignalName
  /** A command that runs before each generation; if it fails, the old generation stays. */
  build?: string | string[]
  /**
   * For `node FILE`: the process of the next generation is booted ahead, and waits before it reads a file of the
   * project. A swap is shorter by Node's own start; it costs the memory of a Node that does nothing. Default: for ten
   * minutes after a start or a save. `true`: as long as a generation serves.
   *
   * It loads packages while it waits, by which a swap is shorter, too: those in `dependencies` of package.json that are
   * known to do no more, when they are loaded, than define what they export. A list names them in their place:
   * `['express']`; `[]`, none.
   */
  standby?: boolean | string[]
  ready?: ReadyConfig
  /** Time for the old generation to finish what it has. Default: `'5s'`. */
  drain?: Duration
  stop?: StopConfig
  /** It sleeps when no connection was open for that long. Default: `false`, never. */
  idle?: Duration | false
  retry?: RetryConfig
  /** Services that must be ready, and tasks that must be done, before it starts. */
  needs?: string[]
  /** Its working folder, relative to the configuration. Default: `'.'`. */
  cwd?: string
  /** Its variables, with `${VAR}`, `${VAR:-default}`, `${api.url}`, `${api.port}`; `$$` is a dollar sign. */
  env?: { [name: string]: string | number | boolean }
  /** Files with NAME=value lines, relative to `cwd`; `env` and the shell go over them. */
  envFile?: string | string[]
  /** When somebody else has its port and nobody can be asked. Default: `ask`, which fails there. */
  onConflict?: 'ask' | 'fail' | 'auto' | 'use'
  /** How a program that knows nothing of devsock gets its socket. Default: `true`, whatever works. */
  adopt?: boolean | 'preload' | 'kernel'
  /** `listen` (default): the program gets the listening socket. */
  mode?: 'listen' | 'accept' | 'relay'
  /** It runs to its end; exit status 0 is success. */
  task?: boolean
}

export interface DevsockConfig {
  /** For editors: the address of the JSON schema. */
  $schema?: string
  /** Default: the name in package.json, else the folder's. */
  name?: string
  /** The project's programs by name; a string is a command. */
  services: { [name: string]: string | ServiceConfig }
}

/** `devsock.local.*`: what is different on this machine. It is merged over the configuration beside it. */
export interface DevsockLocalConfig {
  $schema?: string
  name?: string
  services?: { [name: string]: string | Partial<ServiceConfig> }
}

/** Gives an editor the types of `devsock.config.ts`. */
export function defineConfig(config: DevsockConfig): DevsockConfig {
  return config
}

/** Gives an editor the types of `devsock.local.ts`, where everything is optional. */
export function defineLocalConfig(config: DevsockLocalConfig): DevsockLocalConfig {
  return config
}
