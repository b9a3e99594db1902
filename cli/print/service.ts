import type { ProjectStatus, ServiceState, ServiceStatus, SocketStatus } from '../../proxy/protocol.ts'
import type { Colour, Paint } from './paint.ts'
import { type Column, formatTable } from './table.ts'
import { formatDuration, plural } from './units.ts'

/** A state in one character and a colour; the word always stands beside it. */
export const STATE_LOOKS: Record<ServiceState, { symbol: string; colour: Colour }> = {
  held: { symbol: '○', colour: 'cyan' },
  starting: { symbol: '◔', colour: 'yellow' },
  ready: { symbol: '●', colour: 'green' },
  swapping: { symbol: '◑', colour: 'yellow' },
  failed: { symbol: '✗', colour: 'red' },
  stopping: { symbol: '◌', colour: 'yellow' },
  stopped: { symbol: '·', colour: 'dim' },
  conflict: { symbol: '!', colour: 'red' },
  external: { symbol: '↗', colour: 'blue' },
  done: { symbol: '✓', colour: 'green' },
}

/** States through which a service only goes: what was asked for is not there yet. */
export const PASSING: ReadonlySet<ServiceState> = new Set(['starting', 'swapping', 'stopping'])

/** `http://localhost:5173`, or the address of a socket that has no URL. */
export const formatSocket = ({ url, address }: SocketStatus): string =>
  url ? url.replace(/\/$/, '') : address

export const formatSockets = (service: ServiceStatus): string => service.sockets.map(formatSocket).join(' ')

const COLUMNS: Column[] = [
  { title: 'SERVICE', least: 8 },
  { title: 'STATE' },
  { title: 'URL', least: 12 },
  { title: 'GEN', drop: 2 },
  { title: 'PID', drop: 3 },
  { title: 'WHY', least: 8, drop: 1 },
]

/** The table of `devsock status`. */
export function formatStatus(
  project: ProjectStatus,
  services: ServiceStatus[],
  width: number,
  paint: Paint,
): string[] {
  const rows = services.map((service) => [
    service.name,
    { text: service.state, paint: (text: string) => paint(STATE_LOOKS[service.state].colour, text) },
    formatSockets(service) || '-',
    service.generation > 0 ? String(service.generation) : '-',
    service.pid === null ? '-' : String(service.pid),
    service.reason.message,
  ])
  const [titles = '', ...lines] = formatTable(COLUMNS, rows, width)
  const hints = services
    .filter(({ state, reason }) => reason.hint && (state === 'failed' || state === 'conflict'))
    .map(({ name, reason }) => `${paint('red', '✗')} ${name}: ${reason.hint}`)
  const problems = project.problems.map(({ message }) => `${paint('red', 'not applied')}: ${message}`)
  return [paint('dim', titles), ...lines, ...problems, ...hints]
}

/** `✓ api ready · generation 2 · src/api.js · 48 ms · 0 cut`: where a service is, and how it came there. */
export function formatOutcome(service: ServiceStatus, paint: Paint): string {
  const { name, state, generation, reason, lastSwap } = service
  const failed = state === 'failed' || state === 'conflict'
  const { symbol, colour } = STATE_LOOKS[state]
  const mark = failed || PASSING.has(state) ? paint(colour, symbol) : paint('green', '✓')
  const parts = [`${name} ${state}`]
  if (generation > 0) parts.push(`generation ${generation}`)
  if (state === 'ready' && lastSwap && lastSwap.to === generation) {
    parts.push(lastSwap.cause, formatDuration(lastSwap.ms), `${lastSwap.cut} cut`)
  } else if (failed || generation > 0) {
    parts.push(reason.message)
  }
  return `${mark} ${parts.join(' · ')}`
}

/** `✓ shop · 2 ports held in 41 ms · nothing runs until asked`, and a line a service with its URL. */
export function formatHeld(project: ProjectStatus, ms: number, paint: Paint): string[] {
  const { services } = project
  const ports = services.reduce((sum, { sockets }) => sum + sockets.length, 0)
  const idle = services.every(({ state }) => state === 'held' || state === 'stopped')
  const head = [project.id, `${plural(ports, 'port')} held in ${formatDuration(ms)}`]
  if (idle && services.length > 0) head.push('nothing runs until asked')
  const rows = services.map((service) => [
    `  ${service.name}`,
    { text: service.state, paint: (text: string) => paint(STATE_LOOKS[service.state].colour, text) },
    formatSockets(service),
  ])
  const [, ...lines] = formatTable(
    [{ title: '' }, { title: '' }, { title: '' }],
    rows,
    Number.POSITIVE_INFINITY,
  )
  return [`${paint('green', '✓')} ${head.join(' · ')}`, ...lines]
}
