import type { ServiceStatus } from '../../proxy/protocol.ts'
import type { Paint } from '../print/paint.ts'
import { formatSockets, STATE_LOOKS } from '../print/service.ts'
import { type Cell, type Column, formatTable } from '../print/table.ts'
import { formatBytes, formatDuration } from '../print/units.ts'
import type { LogWindow } from './log-window.ts'
import { MARKS } from './theme.ts'
import { drawTrouble, isTroubled, type TroubleLook } from './trouble.ts'

/** One service a line, and below those that are in trouble, why. `rows`: lines it may take, its titles included. */
export function drawTable(
  services: ServiceStatus[],
  selected: number,
  rows: number,
  logs: LogWindow,
  look: TroubleLook,
): string[] {
  const { columns, paint } = look
  const shown = windowAround(selected, services.length, rows - 1)
  const visible = services.slice(shown.start, shown.end)
  const fields = FIELDS.filter(({ from }) => columns >= from)
  const cells = visible.map((service, index) => {
    const mark = shown.start + index === selected ? MARKS.selected : MARKS.unselected
    return [{ text: `${mark} ${service.name}` }, ...fields.map(({ cell }) => cell(service, paint))]
  })
  const [titles = '', ...lines] = formatTable([NAME, ...fields.map(({ column }) => column)], cells, columns)
  const troubles = drawTroubles(visible, selected - shown.start, rows - 1 - lines.length, logs, look)
  return [paint('dim', titles), ...lines.flatMap((line, index) => [line, ...(troubles[index] ?? [])])]
}

/** The selected one is told whole, then each other by as much as there is room for. */
function drawTroubles(
  services: ServiceStatus[],
  selected: number,
  room: number,
  logs: LogWindow,
  look: TroubleLook,
): string[][] {
  let left = room
  const troubles: string[][] = services.map(() => [])
  const order = [selected, ...services.keys()]
  for (const index of new Set(order)) {
    const service = services[index]
    if (!service || !isTroubled(service)) continue
    const drawn = drawTrouble(service, logs, Math.min(left, index === selected ? left : 1), look)
    troubles[index] = drawn
    left -= drawn.length
  }
  return troubles
}

interface Field {
  column: Column
  /** Terminals narrower than that go without. */
  from: number
  cell(service: ServiceStatus, paint: Paint): Cell
}

const NAME: Column = { title: '  SERVICE', least: 9 }

const FIELDS: Field[] = [
  {
    column: { title: 'STATE' },
    from: 0,
    cell: ({ state }, paint) => {
      const { symbol, colour } = STATE_LOOKS[state]
      return { text: `${symbol} ${state}`, paint: (text) => paint(colour, text) }
    },
  },
  {
    column: { title: 'URL', least: 8 },
    from: 0,
    cell: (service) => ({ text: formatSockets(service) || '-' }),
  },
  {
    column: { title: 'GEN' },
    from: 60,
    cell: ({ generation }) => ({ text: generation > 0 ? `${generation}` : '-' }),
  },
  {
    column: { title: 'MEM' },
    from: 70,
    cell: ({ memory }) => ({ text: memory === null ? '-' : formatBytes(memory) }),
  },
  {
    column: { title: 'CPU' },
    from: 100,
    cell: ({ cpu }) => ({ text: cpu === null ? '-' : `${Math.round(cpu)} %` }),
  },
  {
    column: { title: 'OPEN' },
    from: 100,
    cell: ({ sockets }) => {
      const [open, queued] = [sum(sockets, 'open'), sum(sockets, 'queued')]
      return { text: queued > 0 ? `${open}+${queued}` : `${open}` }
    },
  },
  {
    column: { title: 'LAST SWAP', least: 9 },
    from: 80,
    cell: ({ lastSwap }) => ({ text: lastSwap ? `${formatDuration(lastSwap.ms)} ${lastSwap.cause}` : '-' }),
  },
  { column: { title: 'WHY', least: 8 }, from: 110, cell: ({ reason }) => ({ text: reason.message }) },
]

const sum = (sockets: ServiceStatus['sockets'], what: 'open' | 'queued'): number =>
  sockets.reduce((total, socket) => total + socket[what], 0)

/** `count` neighbours with `selected` among them. */
function windowAround(selected: number, total: number, count: number): { start: number; end: number } {
  const size = Math.max(1, Math.min(total, count))
  const start = Math.max(0, Math.min(selected - Math.floor(size / 2), total - size))
  return { start, end: start + size }
}
