import { Box, Text } from 'ink'
import type { ServiceStatus } from '../../proxy/protocol.ts'
import type { Paint } from '../print/paint.ts'
import { formatSockets, STATE_LOOKS } from '../print/service.ts'
import { type Cell, type Column, formatTable } from '../print/table.ts'
import { formatBytes, formatDuration } from '../print/units.ts'
import { MARKS } from './theme.ts'

interface Props {
  services: ServiceStatus[]
  selected: number
  columns: number
  /** Lines it may take, its titles included. */
  rows: number
  paint: Paint
}

/** One service a line; those around the selected one where not all fit. */
export function ServicesTable({ services, selected, columns, rows, paint }: Props) {
  const shown = windowAround(selected, services.length, rows - 1)
  const visible = services.slice(shown.start, shown.end)
  const fields = FIELDS.filter(({ from }) => columns >= from)
  const cells = visible.map((service, index) => {
    const mark = shown.start + index === selected ? MARKS.selected : MARKS.unselected
    return [{ text: `${mark} ${service.name}` }, ...fields.map(({ cell }) => cell(service, paint))]
  })
  const [titles = '', ...lines] = formatTable([NAME, ...fields.map(({ column }) => column)], cells, columns)
  return (
    <Box flexDirection="column">
      <Text wrap="truncate">{paint('dim', titles)}</Text>
      {lines.map((line, index) => (
        <Text key={visible[index]?.id} wrap="truncate">
          {line}
        </Text>
      ))}
    </Box>
  )
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
    column: { title: 'LAST SWAP', least: 9 },
    from: 80,
    cell: ({ lastSwap }) => ({ text: lastSwap ? `${formatDuration(lastSwap.ms)} ${lastSwap.cause}` : '-' }),
  },
  { column: { title: 'WHY', least: 8 }, from: 110, cell: ({ reason }) => ({ text: reason.message }) },
]

/** `count` neighbours with `selected` among them. */
function windowAround(selected: number, total: number, count: number): { start: number; end: number } {
  const size = Math.max(1, Math.min(total, count))
  const start = Math.max(0, Math.min(selected - Math.floor(size / 2), total - size))
  return { start, end: start + size }
}
