/** All that is known of a service, as rows. */
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { formatOwner } from '../print/failure.ts'
import { sanitizeLine } from '../print/sanitize.ts'
import { formatSocket, STATE_LOOKS } from '../print/service.ts'
import { cutStyled, wrapWords } from '../print/styled.ts'
import { formatBytes, plural } from '../print/units.ts'
import { pad } from '../print/width.ts'
import { formatReceipt, type Happening } from './project-store.ts'
import type { TroubleLook } from './trouble.ts'

const TITLE_WIDTH = 13

export function drawDetail(
  service: ServiceStatus,
  happenings: Happening[],
  variables: string[] | null,
  look: TroubleLook,
): string[] {
  const { paint, columns } = look
  const { symbol, colour } = STATE_LOOKS[service.state]
  const room = Math.max(10, columns - TITLE_WIDTH)
  const field = (title: string, lines: string[]): string[] =>
    lines
      .flatMap((line) => wrapWords(sanitizeLine(line, { colours: false }), room))
      .map((line, index) => paint('dim', pad(index === 0 ? title : '', TITLE_WIDTH)) + line)
  const { reason } = service
  return [
    `${paint('bold', service.name)}  ${paint(colour, `${symbol} ${service.state}`)}`,
    ...field('why', [reason.message, ...(reason.hint ? [`→ ${reason.hint}`] : [])]),
    ...field('generation', [formatGeneration(service)]),
    ...field('sockets', formatSocketLines(service)),
    ...field('handover', [HANDOVERS[service.handover ?? 'unknown']]),
    ...field('counts', [formatCounts(service)]),
    ...field('last swap', [
      service.lastSwap ? `${formatReceipt(service.lastSwap)} · ${service.lastSwap.policy}` : '-',
    ]),
    ...field('last exit', [formatExit(service)]),
    ...field(
      'happened',
      happenings.length > 0
        ? happenings.toReversed().map(formatHappening)
        : ['nothing since this screen began'],
    ),
    ...field('environment', [variables === null ? '…' : variables.join(' ') || '-']),
  ].map((row) => cutStyled(row, columns))
}

const HANDOVERS: Record<NonNullable<ServiceStatus['handover']> | 'unknown', string> = {
  inherited: 'inherited: it took the listener at fd 3',
  preload: 'preload: its bind() got the listener',
  kernel: 'kernel: its bind() was answered through seccomp',
  relay: 'relay: connections are passed on to a socket of its own',
  unknown: 'not known yet',
}

function formatGeneration({ generation, pid, memory, cpu, readyAt, mode }: ServiceStatus): string {
  if (generation === 0) return 'none yet'
  const parts = [`${generation}`, pid === null ? 'not running' : `pid ${pid}`]
  if (memory !== null) parts.push(formatBytes(memory))
  if (cpu !== null) parts.push(`${Math.round(cpu)} % CPU`)
  if (readyAt !== null) parts.push(`ready since ${formatTime(readyAt)}`)
  return [...parts, `mode ${mode}`].join(' · ')
}

const formatSocketLines = ({ sockets }: ServiceStatus): string[] =>
  sockets.length === 0
    ? ['none']
    : sockets.map((socket) => {
        const { name, open, queued, owner } = socket
        const counts = `${open} open · ${queued} queued`
        return `${name}  ${formatSocket(socket)}  ${owner ? `taken by ${formatOwner(owner)}` : counts}`
      })

const formatCounts = ({ activations, swaps, crashes }: ServiceStatus): string =>
  [
    plural(activations, 'activation'),
    plural(swaps, 'swap'),
    `${crashes} ${crashes === 1 ? 'crash' : 'crashes'}`,
  ].join(' · ')

function formatExit({ lastExit }: ServiceStatus): string {
  if (lastExit === null) return '-'
  const { code, signal, at } = lastExit
  return `${signal ?? (code === null ? 'status unknown' : `exit ${code}`)} at ${formatTime(at)}`
}

const formatHappening = ({ at, text }: Happening): string => `${formatTime(at)}  ${text}`

/** Of the day, on the wall. */
const formatTime = (iso: string): string => new Date(iso).toTimeString().slice(0, 8)
