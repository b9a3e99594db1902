import { isDeepStrictEqual } from 'node:util'
import { referencesIn } from './expand.ts'
import type { ResolvedProject, ResolvedService, ResolvedSocket } from './types.ts'

export interface ServiceChange {
  name: string
  /** What a generation is made of is another: the running one is out of date. */
  restart: boolean
  /** Its sockets are others. Implies `restart`. */
  rebind: boolean
  /** What is watched is another. */
  rewatch: boolean
}

export interface Difference {
  /** Names of services. */
  added: string[]
  removed: string[]
  /** All three false: only what devsock does with it is another (`start`, `swap`, `drain`, `stop` …). */
  changed: ServiceChange[]
  /** Nothing is to be done. */
  same: boolean
}

/** What applying `after` over `before` has to touch. */
export function difference(
  before: Pick<ResolvedProject, 'id' | 'services'>,
  after: Pick<ResolvedProject, 'id' | 'services'>,
): Difference {
  const old = new Map(before.services.map((service) => [service.name, service]))
  const names = new Set(after.services.map((service) => service.name))
  const added = after.services.filter(({ name }) => !old.has(name)).map(({ name }) => name)
  const removed = before.services.filter(({ name }) => !names.has(name)).map(({ name }) => name)
  const moved = new Set([...added, ...removed])
  for (const service of after.services) {
    const previous = old.get(service.name)
    if (previous && rebinds(previous, service)) moved.add(service.name)
  }

  const changed: ServiceChange[] = []
  for (const service of after.services) {
    const previous = old.get(service.name)
    if (!previous) continue
    const rebind = rebinds(previous, service)
    // DEVSOCK_PROJECT is the id; a neighbour that moved concerns only those that name it.
    const stale = before.id !== after.id || refersTo(service, moved)
    const restart = rebind || stale || !isDeepStrictEqual(ingredients(previous), ingredients(service))
    const rewatch = previous.cwd !== service.cwd || !isDeepStrictEqual(previous.watch, service.watch)
    if (restart || rewatch || !isDeepStrictEqual(previous, service)) {
      changed.push({ name: service.name, restart, rebind, rewatch })
    }
  }
  return { added, removed, changed, same: added.length + removed.length + changed.length === 0 }
}

function rebinds(before: ResolvedService, after: ResolvedService): boolean {
  const bound = ({ name, address, backlog }: ResolvedSocket): unknown => ({ name, address, backlog })
  return !isDeepStrictEqual(before.sockets.map(bound), after.sockets.map(bound))
}

/** What a generation is started with. */
function ingredients(service: ResolvedService): unknown {
  const { adopt, argv, cwd, env, envFile, mode, script, sockets } = service
  return {
    adopt,
    argv,
    cwd,
    env,
    envFile,
    mode,
    script,
    binds: sockets.map((socket) => [socket.binds, socket.protocol]),
  }
}

function refersTo(service: ResolvedService, names: ReadonlySet<string>): boolean {
  const references = Object.values(service.env).flatMap(referencesIn)
  return references.some((reference) => {
    for (const name of names) if (name !== service.name && reference.startsWith(`${name}.`)) return true
    return false
  })
}
