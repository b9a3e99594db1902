import { delimiter } from 'node:path'
import { fail, ok, type Result } from '../protocol.ts'
import { addressPort, socketUrl } from './address.ts'
import { type ExpansionProblem, expand, type Lookup } from './expand.ts'
import { variablePart } from './names.ts'
import { didYouMean } from './suggest.ts'
import type { ResolvedProject, ResolvedService, ResolvedSocket } from './types.ts'

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
 * The environment of a generation. Precedence: devsock's own > `env` > npm's > shell > `envFile`. LISTEN_* and
 * NOTIFY_SOCKET are added by the holder, which alone knows the pid; DEVSOCK_INVOCATION where it is spawned.
 */
export function generationEnvironment(options: GenerationEnvironmentOptions): Result<Record<string, string>> {
  const { project, service, generation, ports, shell } = options
  const neighbours = neighboursOf(project, ports)
  const own: Record<string, string> = {
    ...neighbours.variables,
    ...ownVariables(service, ports),
    DEVSOCK_PROJECT: project.id,
    DEVSOCK_SERVICE: service.name,
    DEVSOCK_GENERATION: String(generation),
  }
  const inherited = inheritedEnvironment({ ...service.envFile, ...shell, ...service.script?.env })
  const lookup = lookupIn([own, inherited], neighbours)
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
  return ok({ ...conveniences(wanted), ...wanted, ...withPrograms(service, wanted.PATH), ...own })
}

/** The variables of `devsock env` and `devsock exec`: where every service is, or will be. */
export function siblingVariables(
  project: Pick<ResolvedProject, 'services'>,
  ports: BoundSockets,
): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const service of project.services) {
    for (const [index, socket] of service.sockets.entries()) {
      const { port, url } = whereabouts(service.name, socket, ports)
      const names = variableNames(service.name, socket.name)
      if (index === 0 && url !== null) variables[names.url] = base(url)
      if (port === null) continue
      if (index === 0) variables[names.port] = String(port)
      variables[names.socketPort] = String(port)
    }
  }
  return variables
}

/** Where a socket is bound; while it is not, where it was declared: a neighbour that is stopped keeps its address. */
function whereabouts(service: string, socket: ResolvedSocket, ports: BoundSockets): BoundSocket {
  const bound = ports.get(`${service}/${socket.name}`)
  if (bound) return bound
  const port = addressPort(socket.address)
  return { port, url: socketUrl(socket, port) }
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
  'DEVSOCK_ADOPT',
  'DEVSOCK_HOLDER',
  'DEVSOCK_SLOTS',
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

/** A value of `env` that no generation could put right. */
export interface EnvProblem extends ExpansionProblem {
  service: string
  /** Of the variable. */
  name: string
}

/**
 * What is wrong with the values of `env` before anything is bound: how they are written, a service that there
 * is not, a variable that is not set.
 */
export function envProblems(
  project: Pick<ResolvedProject, 'id' | 'services'>,
  shell: Readonly<Record<string, string>>,
): EnvProblem[] {
  const ports = new Map<string, BoundSocket>()
  for (const { name, sockets } of project.services) {
    for (const socket of sockets) {
      const unix = socket.address.kind === 'unix'
      // Any port will do: only whether there is one is asked.
      ports.set(`${name}/${socket.name}`, { port: unix ? null : 1, url: unix ? null : 'http://localhost:1' })
    }
  }
  const neighbours = neighboursOf(project, ports)
  const identity = { DEVSOCK_PROJECT: project.id, DEVSOCK_SERVICE: '', DEVSOCK_GENERATION: '' }
  const fromShell = inheritedEnvironment(shell)
  const problems: EnvProblem[] = []
  for (const service of project.services) {
    const own = ownVariables(service, ports)
    const layers = [own, identity, neighbours.variables, fromShell, inheritedEnvironment(service.envFile)]
    const lookup = lookupIn(layers, neighbours)
    for (const [name, text] of Object.entries(service.env)) {
      const expanded = expand(text, lookup)
      if (!expanded.ok) problems.push({ service: service.name, name, ...expanded.problem })
    }
  }
  return problems
}

/** What a generation is told of itself: of its first socket, and of the first one that has a port. */
function ownVariables(service: ResolvedService, ports: BoundSockets): Record<string, string> {
  const own: Record<string, string> = {}
  const [first] = service.sockets
  const url = first ? whereabouts(service.name, first, ports).url : null
  if (url !== null) own.DEVSOCK_URL = base(url)
  for (const socket of service.sockets) {
    const port = socket.binds ?? whereabouts(service.name, socket, ports).port
    if (port === null || socket.address.kind === 'unix') continue
    own.PORT = String(port)
    break
  }
  return own
}

/** The services of a project, as each of them sees all. */
interface Neighbours {
  variables: Record<string, string>
  /** What may stand before `.url` and `.port`; null for a service without a socket. */
  subjects: Map<string, BoundSocket | null>
}

function neighboursOf(project: Pick<ResolvedProject, 'services'>, ports: BoundSockets): Neighbours {
  const subjects: Neighbours['subjects'] = new Map()
  for (const { name, sockets } of project.services) {
    for (const socket of sockets) {
      subjects.set(`${name}.${socket.name}`, whereabouts(name, socket, ports))
    }
  }
  // Names may hold dots themselves: a service goes before a socket of the same spelling.
  for (const { name, sockets } of project.services) {
    const [first] = sockets
    subjects.set(name, first ? whereabouts(name, first, ports) : null)
  }
  return { variables: siblingVariables(project, ports), subjects }
}

/** A name with a dot is a service's, `api.url` or `api.admin.port`; any other is a variable's, of the first layer that has it. */
function lookupIn(layers: readonly Readonly<Record<string, string>>[], neighbours: Neighbours): Lookup {
  return (name) => {
    if (name.includes('.')) return reference(name, neighbours.subjects)
    return layers.find((layer) => Object.hasOwn(layer, name))?.[name]
  }
}

function reference(name: string, subjects: Neighbours['subjects']): string | ExpansionProblem {
  const dot = name.lastIndexOf('.')
  const subject = name.slice(0, dot)
  const property = name.slice(dot + 1)
  const wrong = (message: string, hint: string | null): ExpansionProblem => ({
    message: `\${${name}}: ${message}`,
    hint,
  })
  const bound = subjects.get(subject)
  if (bound === undefined) {
    return wrong(`there is no service ${JSON.stringify(subject)}`, didYouMean(subject, subjects.keys()))
  }
  if (property !== 'url' && property !== 'port') {
    return wrong(
      `a service has no ${JSON.stringify(property)}`,
      `write \${${subject}.url} or \${${subject}.port}`,
    )
  }
  if (bound === null) return wrong(`${subject} listens on nothing`, null)
  const value = bound[property]
  if (value === null)
    return wrong(
      `${subject} has no ${property}`,
      'a Unix socket has none, and one with a port of its own choice only while it is bound',
    )
  return property === 'url' ? base(String(value)) : String(value)
}

/** `${api.url}/items` is what people write: no slash at the end. */
function base(url: string): string {
  return url.replace(/\/$/, '')
}

/** The PATH with the folders of the packages' programs in front. */
function withPrograms({ script }: ResolvedService, path: string | undefined): Record<string, string> {
  if (script === null) return {}
  return { PATH: [...script.path, ...(path === undefined ? [] : [path])].join(delimiter) }
}

function conveniences(env: Readonly<Record<string, string>>): Record<string, string> {
  const { PYTHONUNBUFFERED, ...colours } = CONVENIENCES
  // Programs warn when they are told both.
  return 'NO_COLOR' in env ? { PYTHONUNBUFFERED } : { ...colours, PYTHONUNBUFFERED }
}
