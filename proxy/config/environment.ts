import { fail, ok, type Result } from '../protocol.ts'
import { type ExpansionProblem, expand, type Lookup } from './expand.ts'
import { variablePart } from './names.ts'
import { didYouMean } from './suggest.ts'
import type { ResolvedProject, ResolvedService } from './types.ts'

/** Where a socket is bound now. */
export interface BoundSocket {
  /** Null for a Unix socket. */
  port: number | null
  /** As in status; null for a Unix socket. */
  url: string | null
}

/** By `service/socket`. */
export type BoundSockets = ReadonlyMap<string, BoundSocket>

export interface GenerationEnvironmentOptions {
  project: Pick<ResolvedProject, 'id' | 'services'>
  service: ResolvedService
  /** Number of the generation, from 1. */
  generation: number
  ports: BoundSockets
  /** Environment of the latest `up`. */
  shell: Readonly<Record<string, string>>
}

/** Unless the user says otherwise: colours in a log that is shown in colour, and lines as they are printed. */
const CONVENIENCES = { FORCE_COLOR: '1', CLICOLOR_FORCE: '1', PYTHONUNBUFFERED: '1' } as const

/**
 * The environment of a generation. Precedence: devsock's own > `env` > shell > `envFile`. LISTEN_* and
 * NOTIFY_SOCKET are added by the holder, which alone knows the pid; DEVSOCK_INVOCATION where it is spawned.
 */
export function generationEnvironment(options: GenerationEnvironmentOptions): Result<Record<string, string>> {
  const { service, shell } = options
  const own = ownVariables(options)
  const inherited = inheritedEnvironment({ ...service.envFile, ...shell })
  const lookup = lookupIn(options, { ...inherited, ...own })
  const env: Record<string, string> = {}
  for (const [name, text] of Object.entries(service.env)) {
    const expanded = expand(text, lookup)
    if (!expanded.ok) {
      const { message, hint } = expanded.problem
      return fail('configuration-invalid', `${service.name}: env.${name}: ${message}`, hint)
    }
    env[name] = expanded.value
  }
  const wanted = inheritedEnvironment({ ...inherited, ...env })
  return ok({ ...conveniences(wanted), ...wanted, ...own })
}

/** The variables of `devsock env` and `devsock exec`: where every service is. */
export function siblingVariables(
  project: Pick<ResolvedProject, 'services'>,
  ports: BoundSockets,
): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const service of project.services) {
    for (const [index, socket] of service.sockets.entries()) {
      const bound = ports.get(`${service.name}/${socket.name}`)
      if (!bound) continue
      const names = variableNames(service.name, socket.name)
      if (index === 0 && bound.url !== null) variables[names.url] = base(bound.url)
      if (bound.port === null) continue
      if (index === 0) variables[names.port] = String(bound.port)
      variables[names.socketPort] = String(bound.port)
    }
  }
  return variables
}

/** Names of the variables that tell where a socket is; `url` and `port` are its service's, for its first socket. */
export function variableNames(
  service: string,
  socket: string,
): { url: string; port: string; socketPort: string } {
  const prefix = `DEVSOCK_${variablePart(service)}`
  return {
    url: `${prefix}_URL`,
    port: `${prefix}_PORT`,
    socketPort: `${prefix}_${variablePart(socket)}_PORT`,
  }
}

/** What devsock or a service manager put into the environment it was started with, and is nobody else's. */
const PRIVATE = new Set([
  'NOTIFY_SOCKET',
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'DEVSOCK_LOCK_FD',
  'DEVSOCK_INVOCATION',
  'DEVSOCK_URL',
  'DEVSOCK_PROJECT',
  'DEVSOCK_SERVICE',
  'DEVSOCK_GENERATION',
])

/**
 * An environment without what must not leak through: descriptors and channels that are not this process's,
 * and the variables of another service that the shell ran in. DEVSOCK_STATE_DIR, DEVSOCK_RUNTIME_DIR,
 * DEVSOCK_DASHBOARD_PORT and DEVSOCK are the user's and stay.
 */
export function inheritedEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isPrivate(name)))
}

function isPrivate(name: string): boolean {
  if (PRIVATE.has(name) || name.startsWith('LISTEN_')) return true
  return /^DEVSOCK_.+_(?:URL|PORT)$/.test(name) && name !== 'DEVSOCK_DASHBOARD_PORT'
}

/**
 * What is wrong with a value of `env` that no generation could put right: how it is written, a service that
 * there is not, a variable that is not set. Ports are not known yet; null: nothing is wrong.
 */
export function expansionProblem(
  text: string,
  project: Pick<ResolvedProject, 'id' | 'services'>,
  service: ResolvedService,
  shell: Readonly<Record<string, string>>,
): ExpansionProblem | null {
  const ports = new Map(
    project.services.flatMap(({ name, sockets }) =>
      sockets.map((socket): [string, BoundSocket] => {
        const port = socket.address.kind === 'unix' ? null : 1
        return [`${name}/${socket.name}`, { port, url: port && 'http://localhost:1' }]
      }),
    ),
  )
  const options: GenerationEnvironmentOptions = { project, service, generation: 1, ports, shell }
  const known = { ...inheritedEnvironment({ ...service.envFile, ...shell }), ...ownVariables(options) }
  const expanded = expand(text, lookupIn(options, known))
  return expanded.ok ? null : expanded.problem
}

function ownVariables(options: GenerationEnvironmentOptions): Record<string, string> {
  const { project, service, generation, ports } = options
  const own: Record<string, string> = {
    ...siblingVariables(project, ports),
    DEVSOCK_PROJECT: project.id,
    DEVSOCK_SERVICE: service.name,
    DEVSOCK_GENERATION: String(generation),
  }
  const [first] = service.sockets
  const url = first && ports.get(`${service.name}/${first.name}`)?.url
  if (url) own.DEVSOCK_URL = base(url)
  for (const socket of service.sockets) {
    const port = socket.binds ?? ports.get(`${service.name}/${socket.name}`)?.port
    if (port === null || port === undefined || socket.address.kind === 'unix') continue
    own.PORT = String(port)
    break
  }
  return own
}

/** A name with a dot is a service's, `api.url` or `api.admin.port`; any other is a variable's. */
function lookupIn(
  options: GenerationEnvironmentOptions,
  variables: Readonly<Record<string, string>>,
): Lookup {
  return (name) => {
    if (!name.includes('.')) return Object.hasOwn(variables, name) ? variables[name] : undefined
    return reference(name, options.project.services, options.ports)
  }
}

function reference(
  name: string,
  services: ResolvedService[],
  ports: BoundSockets,
): string | ExpansionProblem {
  const dot = name.lastIndexOf('.')
  const subject = name.slice(0, dot)
  const property = name.slice(dot + 1)
  const subjects = new Map<string, string>()
  for (const { name: service, sockets } of services) {
    // Names may hold dots themselves; a service goes before a socket of the same spelling.
    for (const socket of sockets) subjects.set(`${service}.${socket.name}`, `${service}/${socket.name}`)
  }
  for (const { name: service, sockets } of services) {
    const [first] = sockets
    if (first) subjects.set(service, `${service}/${first.name}`)
    else subjects.set(service, '')
  }
  const socket = subjects.get(subject)
  const wrong = (message: string, hint: string | null): ExpansionProblem => ({
    message: `\${${name}}: ${message}`,
    hint,
  })
  if (socket === undefined) {
    return wrong(`there is no service ${JSON.stringify(subject)}`, didYouMean(subject, subjects.keys()))
  }
  if (property !== 'url' && property !== 'port') {
    return wrong(
      `a service has no ${JSON.stringify(property)}`,
      `write \${${subject}.url} or \${${subject}.port}`,
    )
  }
  if (socket === '') return wrong(`${subject} listens on nothing`, null)
  const bound = ports.get(socket)
  const value = bound?.[property] ?? null
  if (value === null) return wrong(`${subject} has no ${property}`, 'a Unix socket has neither')
  return property === 'url' ? base(String(value)) : String(value)
}

/** `${api.url}/items` is what people write: no slash at the end. */
function base(url: string): string {
  return url.replace(/\/$/, '')
}

function conveniences(env: Readonly<Record<string, string>>): Record<string, string> {
  const { PYTHONUNBUFFERED, ...colours } = CONVENIENCES
  // Programs warn when they are told both.
  return 'NO_COLOR' in env ? { PYTHONUNBUFFERED } : { ...colours, PYTHONUNBUFFERED }
}
