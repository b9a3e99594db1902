import type {
  AddressText,
  DevsockConfig,
  DevsockLocalConfig,
  Listen,
  ReadyConfig,
  ServiceConfig,
  SocketConfig,
} from './define.ts'

/** A configuration with its short forms written out; a service of devsock.local.* may still lack its command. */
export interface FullConfig {
  name?: string
  services: { [name: string]: FullService }
}

export type FullService = Omit<Partial<ServiceConfig>, 'listen'> & { listen?: FullListen }

export type FullListen = SocketConfig | SocketConfig[] | { [name: string]: SocketConfig } | false

/** Writes short forms out: `'npm run dev'` → `{ command }`, `3000` → `{ address: 3000 }`. */
export function full(config: DevsockLocalConfig): FullConfig {
  const services = mapValues(config.services ?? {}, (service): FullService => {
    if (typeof service === 'string') return { command: service }
    const { listen, ...rest } = service
    return listen === undefined ? rest : { ...rest, listen: fullListen(listen) }
  })
  return config.name === undefined ? { services } : { name: config.name, services }
}

/**
 * `devsock.local.*` over the configuration: objects are merged key by key, lists and single values replaced.
 * What is only one of several (kinds of `ready`, forms of `listen`) is replaced where it is another.
 */
export function merge(config: DevsockConfig, local: DevsockLocalConfig): FullConfig {
  const below = full(config)
  const above = full(local)
  const merged = new Map(Object.entries(below.services))
  for (const [name, service] of Object.entries(above.services)) {
    const old = merged.get(name)
    merged.set(name, old ? mergeService(old, service) : service)
  }
  const services = Object.fromEntries(merged)
  const name = above.name ?? below.name
  return name === undefined ? { services } : { name, services }
}

/** True for one socket, false for sockets by name. */
export function isSocket(
  listen: SocketConfig | { [name: string]: AddressText | SocketConfig },
): listen is SocketConfig {
  return typeof listen.address === 'number' || typeof listen.address === 'string'
}

function fullListen(listen: Listen): FullListen {
  if (listen === false) return false
  if (typeof listen !== 'object') return fullSocket(listen)
  if (Array.isArray(listen)) return listen.map(fullSocket)
  if (isSocket(listen)) return listen
  return mapValues(listen, fullSocket)
}

function fullSocket(socket: AddressText | SocketConfig): SocketConfig {
  return typeof socket === 'object' ? socket : { address: socket }
}

function mergeService(below: FullService, above: FullService): FullService {
  const merged = mergeObjects(below, above)
  if (below.listen && above.listen && !sameForm(below.listen, above.listen)) merged.listen = above.listen
  if (below.ready && above.ready) merged.ready = mergeReady(below.ready, above.ready)
  return merged
}

function sameForm(a: Exclude<FullListen, false>, b: Exclude<FullListen, false>): boolean {
  if (Array.isArray(a) || Array.isArray(b)) return false
  return isSocket(a) === isSocket(b)
}

function mergeReady(below: ReadyConfig, above: ReadyConfig): ReadyConfig {
  const { notify, log, http, ...rest } = below
  const otherKind = above.notify !== undefined || above.log !== undefined || above.http !== undefined
  return otherKind ? { ...rest, ...above } : { ...below, ...above }
}

/** Both are checked by the same schema, so that a key means the same in both. */
function mergeObjects<T extends object>(below: T, above: T): T {
  const merged = new Map<string, unknown>(Object.entries(below))
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue
    const old = merged.get(key)
    merged.set(key, isPlainObject(old) && isPlainObject(value) ? mergeObjects(old, value) : value)
  }
  return Object.fromEntries(merged) as T
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapValues<A, B>(record: { [key: string]: A }, change: (value: A) => B): { [key: string]: B } {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
