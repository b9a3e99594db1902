import type { Mode, SwapPolicy } from '../protocol.ts'

/** A configuration after defaults: what the daemon runs. Times in milliseconds. */
export interface ResolvedProject {
  id: string
  name: string
  dir: string
  /** Absolute path of the file it came from. */
  config: string
  /** Every file that takes part (local overrides, envFiles): a change of one re-applies the configuration. */
  files: string[]
  services: ResolvedService[]
}

export interface ResolvedService {
  name: string
  /** `/bin/sh -c` for a string (shell-command.ts), the array itself otherwise. */
  argv: string[]
  /** What npm would have put around the command, where that is run without it (package-script.ts). */
  script: { path: string[]; env: Record<string, string> } | null
  /** As the person wrote it, for print. */
  command: string
  sockets: ResolvedSocket[]
  start: 'on-demand' | 'eager' | 'manual'
  /** Globs relative to `cwd`, `!` negates; null: devsock swaps nothing. */
  watch: string[] | null
  swap: SwapPolicy
  /** What a change sends to a running generation instead of a swap. */
  reload: NodeJS.Signals | null
  ready: Ready
  drainMs: number
  stop: { signal: NodeJS.Signals; timeoutMs: number }
  /** Milliseconds without an open connection after which it sleeps; null: never. */
  idleMs: number | null
  retry: { limit: number; withinMs: number; delayMs: number }
  /** Absolute. */
  cwd: string
  /** From `env` (unexpanded: `${…}` is expanded when a generation is prepared) . */
  env: Record<string, string>
  /** Parsed content of `envFile`. */
  envFile: Record<string, string>
  onConflict: 'ask' | 'fail' | 'auto' | 'use'
  /** A program that binds its port by itself is given the socket; by which way, or by the one that its file calls for. */
  adopt: boolean | 'preload' | 'kernel'
  /** How the next generation's process is booted ahead, up to the user's code; null: it is not. */
  standby: Ahead | null
  mode: Mode
}

export interface Ahead {
  /** What it loads before it waits. `known`: what the program depends on of the packages that devsock knows. */
  packages: readonly string[] | 'known'
  /** False: for a while after a start or a save. */
  always: boolean
}

export type Ready =
  | { kind: 'accept'; timeoutMs: number } // the slot's queue is taken
  | { kind: 'notify'; timeoutMs: number }
  | { kind: 'log'; pattern: string; timeoutMs: number }
  | { kind: 'http'; path: string; timeoutMs: number }

export interface ResolvedSocket {
  name: string
  address: Address
  backlog: number
  protocol: 'http' | 'https' | 'tcp'
  /** The port that the program itself believes it binds; null: the held one. */
  binds: number | null
}

export type Address =
  | { kind: 'loopback'; port: number } // both families, this machine only
  | { kind: 'ip'; host: string; port: number } // 127.0.0.1, ::1, or any literal
  | { kind: 'wildcard'; port: number } // all interfaces
  | { kind: 'auto' } // a free port, stable for project + worktree + service
  | { kind: 'unix'; path: string; mode: number } // absolute
