/**
 * How a program that calls bind() itself, and knows nothing of devsock, comes by its slot: the preload library
 * (native/adopt) is in every process of a generation, and its environment says which ports are meant.
 */
import { readFileSync } from 'node:fs'
import type { ResolvedService, ResolvedSocket } from '../config/types.ts'
import type { Program } from './executable.ts'
import { unlessGone } from './processes.ts'

/** What the daemon has for adoption. */
export interface Adopter {
  /** Path of the preload library; null where it cannot be preloaded (see {@link preloadable}). */
  library: string | null
  /** Path of the script that Node processes drain and take connections with. */
  nodeScript: string
  /** Where programs ask the holder for a slot that was lost on the way to them. */
  holderSocket: string
}

/** The library's file name, by which it is known in other environments. */
const LIBRARY = 'devsock-adopt.so'

/** ld.so(8) takes spaces and colons as separators in LD_PRELOAD, and knows no escape for them. */
export const preloadable = (library: string): boolean => !/[\s:]/.test(library)

/** How the programs of a service get their slots by bind(): from the preload library, or from the holder. */
export type Way = 'preload' | 'kernel'

export type Adoptable = Pick<ResolvedService, 'adopt' | 'argv' | 'cwd' | 'sockets'>

/**
 * The way of a service's next generation, by its program's file or because it was `learnt` of that program; null: it
 * is left to inherit.
 */
export function adoptionWay(
  { adopt, sockets }: Pick<Adoptable, 'adopt' | 'sockets'>,
  { DEVSOCK }: Record<string, string>,
  adopter: Adopter,
  program: Program,
  learnt = false,
): Way | null {
  if (adopt === false || sockets.length === 0 || DEVSOCK === '0') return null
  if (adopt === 'kernel' || (adopt === true && (learnt || program.nature === 'kernel'))) return 'kernel'
  return adopter.library === null ? null : 'preload'
}

/** Whether the preload library is in the programs of this service, and tells. */
export const reports = (service: Pick<ResolvedService, 'adopt' | 'sockets'>, { library }: Adopter): boolean =>
  library !== null && service.adopt !== false && service.sockets.length > 0

/** The port that the program believes it binds; null for what has none. */
export const boundPort = (socket: ResolvedSocket, held: number | null): number | null =>
  held === null ? null : (socket.binds ?? held)

/**
 * A generation's environment with what the preload library needs; `env` itself where it is not wanted. `port` is
 * the one that is held. What the user preloads stays, behind ours: ours calls the next one.
 */
export function withAdoption(
  env: Record<string, string>,
  service: Pick<ResolvedService, 'sockets'>,
  way: Way | null,
  adopter: Adopter,
  port: (socket: ResolvedSocket) => number | null,
): Record<string, string> {
  const theirs = (env.LD_PRELOAD ?? '')
    .split(/[\s:]+/)
    .filter((path) => path && !path.endsWith(`/${LIBRARY}`))
  // An outer devsock's library would look for an outer generation's slots.
  const clean = { ...env, ...(env.LD_PRELOAD === undefined ? {} : { LD_PRELOAD: theirs.join(':') }) }
  const { library, holderSocket } = adopter
  if (library === null || way !== 'preload') return clean
  return {
    ...clean,
    LD_PRELOAD: [library, ...theirs].join(':'),
    DEVSOCK_ADOPT: describePorts(service, port),
    DEVSOCK_HOLDER: holderSocket,
    // AddressSanitizer ends a program in which any library comes before its own.
    ASAN_OPTIONS: [...(env.ASAN_OPTIONS ? [env.ASAN_OPTIONS] : []), 'verify_asan_link_order=0'].join(':'),
  }
}

/** For DEVSOCK_ADOPT: the port of each socket as the program knows it, and as it is held where that is another. */
export function describePorts(
  { sockets }: Pick<ResolvedService, 'sockets'>,
  port: (socket: ResolvedSocket) => number | null,
): string {
  const ports = sockets.map((socket) => {
    const held = port(socket)
    if (held === null) return '0'
    return socket.binds === null || socket.binds === held ? `${held}` : `${socket.binds}=${held}`
  })
  return ports.join(',')
}

/**
 * Whether a process runs a program that ld.so(8) was in, and so the library: the interpreter is in its memory before
 * it has loaded anything. Of a process that may not be looked at nothing is known, so yes.
 */
export function isDynamic(pid: number): boolean {
  const maps = unlessGone(() => readFileSync(`/proc/${pid}/maps`, 'utf8'))
  return maps === null || maps === '' || /\/ld[^/\n]*\.so/.test(maps)
}
