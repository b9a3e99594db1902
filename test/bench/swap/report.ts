import { grid } from '../table.ts'
import type { Figures } from './figures.ts'
import { type LoadName, loads } from './loads.ts'

export interface CellResult extends Figures {
  contender: string
  app: string
  load: LoadName
}

export interface Goal {
  what: string
  is: string
  met: boolean
}

export interface SwapResults {
  at: string
  machine: string
  command: string
  /** Median from the start of the Express app by hand to its first answer, ms; null where it took no part. */
  bootMs: number | null
  cells: CellResult[]
  goals: Goal[]
}

const ms = (value: number | null) => (value === null ? 'never' : value.toFixed(value < 10 ? 1 : 0))
const times = (value: number) => (value === 0 || value >= 10 ? value.toFixed(0) : value.toFixed(1))

/** Every figure of every run. */
export function details(cells: readonly CellResult[]): string {
  return grid([
    [
      '',
      'app',
      'load',
      'sent',
      'ok',
      'refused',
      'reset',
      'error',
      'stale (≤ ms)',
      'p50',
      'p99',
      'max',
      'save→new',
      'client late, p99',
    ],
    ...cells.map((cell) => [
      cell.contender,
      cell.app,
      cell.load,
      ...[cell.sent, cell.ok, cell.refused, cell.reset, cell.error].map(String),
      cell.stale === 0 ? '0' : `${cell.stale} (${ms(cell.stalestMs)})`,
      ...[cell.p50, cell.p99, cell.max, cell.newCodeMs, cell.clientLateP99].map(ms),
    ]),
  ])
}

/** One row for each way to run a server: failed and stale requests a save, and how soon a save is seen. */
export function overview({ cells }: SwapResults): string {
  const rows = new Map<string, CellResult[]>()
  for (const cell of cells) {
    const name = `${cell.contender}, ${cell.app}`
    rows.set(name, [...(rows.get(name) ?? []), cell])
  }
  const body = [...rows].map(([name, row]) => {
    const of = (load: LoadName) => row.find((cell) => cell.load === load)
    const seen = (load: LoadName) => {
      const cell = of(load)
      return cell ? ms(cell.newCodeMs) : ''
    }
    const p99 = of('keep-alive')?.p99
    return [
      name,
      ...loads.map((load) => losses(of(load))),
      seen('new connections'),
      seen('150 ms'),
      p99 ? ms(p99) : '',
    ]
  })
  return grid([
    ['failed · stale, a save', ...loads, 'save→new', 'save→new, 150 ms', 'p99, keep-alive'],
    ...body,
  ])
}

function losses(cell: CellResult | undefined): string {
  if (!cell) return ''
  const { refused, reset, error, stale, saves } = cell
  return `${times((refused + reset + error) / saves)} · ${times(stale / saves)}`
}
