import { Box, Text } from 'ink'
import { useLayoutEffect } from 'react'
import type { Paint } from '../print/paint.ts'
import { STATE_LOOKS } from '../print/service.ts'
import { cutStyled } from '../print/styled.ts'
import { drawDetail } from './detail.ts'
import { drawHelp } from './help.ts'
import type { Action, ScreenState, Surroundings } from './keys.ts'
import { clampSelected } from './keys.ts'
import { drawLastLine } from './last-line.ts'
import { areaOf, drawLog, drawRule, type LogLook } from './log-rows.ts'
import { drawOffers } from './offers.ts'
import type { Pane } from './painter.ts'
import type { ProjectStore, ProjectView } from './project-store.ts'
import { drawTable } from './services-table.ts'
import { useKeys } from './use-keys.ts'
import { useProject } from './use-project.ts'
import { type TerminalSize, useTerminalSize } from './use-terminal-size.ts'

interface Props {
  store: ProjectStore
  act(action: Action): void
  isLeased: boolean
  paint: Paint
  colours: boolean
  /** The log is drawn by whoever is told where. */
  onPane(pane: Pane | null): void
}

/** Header and last line. */
const FIXED_ROWS = 2
/** What the table leaves to the log, its rule included. */
const LEAST_LOG = 4

/** The screen of `devsock up`: services above, their merged log below. */
export function UpScreen({ store, act, isLeased, paint, colours, onPane }: Props) {
  const view = useProject(store)
  const size = useTerminalSize()
  const { services } = view.project
  const { logs } = store
  const look = { columns: size.columns, paint, colours }
  const layOut = (state: ScreenState) => {
    const room = Math.max(0, size.rows - FIXED_ROWS)
    const selected = clampSelected(state.selected, services.length)
    const most = Math.max(2, Math.min(room - LEAST_LOG, Math.floor(room * 0.6)))
    const table = hasTable(state) ? drawTable(services, selected, most, logs, look) : []
    const offers = drawOffers(state.typing, services, room - table.length - LEAST_LOG, size.columns, paint)
    const rows = Math.max(0, room - table.length - offers.length)
    const labels = services.map(({ name }) => name)
    const log: LogLook = { ...look, rows: Math.max(0, rows - 1), labels }
    return { table, offers, rows, log, selected }
  }
  const surroundings = (state: ScreenState): Surroundings => {
    const { log } = layOut(state)
    return { services, logs, area: (of) => areaOf(of, log), prompt: store.view().prompt }
  }
  const state = useKeys(surroundings, act)
  const { table, offers, rows, log, selected } = layOut(state)
  const hasLog = state.mode === 'main' || state.mode === 'pager'
  useLayoutEffect(() => {
    logs.hold(state.log.top !== null)
    const draw = (): string[] => [
      drawRule(logs, state.log, log),
      ...filled(drawLog(logs, state.log, log), log.rows),
    ]
    onPane(hasLog && rows > 0 ? { top: 1 + table.length, draw } : null)
  })
  const body = hasLog ? [] : drawBody(view, state, selected, rows, size, paint, colours)
  return (
    <Box flexDirection="column" height={size.rows} width={size.columns}>
      <Rows rows={[drawHeader(view, size.columns, paint), ...table]} />
      <Box flexDirection="column" height={rows}>
        <Rows rows={body} />
      </Box>
      <Rows rows={[...offers, drawLastLine(view, state, isLeased, size.columns, paint)]} />
    </Box>
  )
}

function Rows({ rows }: { rows: string[] }) {
  return rows.map((row, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
    <Text key={index} wrap="truncate">
      {/* An empty text would take no row. */}
      {row || ' '}
    </Text>
  ))
}

const hasTable = ({ mode }: ScreenState): boolean => mode === 'main' || mode === 'detail'

/** What stands in place of the log. */
function drawBody(
  view: ProjectView,
  { mode, offset }: ScreenState,
  selected: number,
  rows: number,
  { columns }: TerminalSize,
  paint: Paint,
  colours: boolean,
): string[] {
  const service = view.project.services[selected]
  const lines =
    mode === 'help'
      ? drawHelp(columns, rows, paint)
      : service
        ? [
            paint('dim', '─'.repeat(columns)),
            ...drawDetail(
              service,
              view.happenings[service.name] ?? [],
              view.variables[service.name] ?? null,
              {
                columns,
                paint,
                colours,
              },
            ),
          ]
        : []
  const from = Math.max(0, Math.min(offset, lines.length - rows))
  return lines.slice(from, from + rows)
}

/** What was there before is painted over. */
const filled = (lines: string[], rows: number): string[] =>
  Array.from({ length: rows }, (_, index) => lines[index] ?? '')

/** `shop · 2 ready · 1 failed`, and what is out of order with all of it. */
function drawHeader({ project, isLive }: ProjectView, columns: number, paint: Paint): string {
  const counts = new Map<string, number>()
  for (const { state } of project.services) counts.set(state, (counts.get(state) ?? 0) + 1)
  const parts = Object.entries(STATE_LOOKS).flatMap(([state, { colour }]) =>
    counts.has(state) ? [paint(colour, `${counts.get(state)} ${state}`)] : [],
  )
  const away = isLive ? [] : [paint('yellow', 'the daemon is away; it comes back')]
  const problem = project.problems[0]
  const invalid = problem ? [paint('red', `configuration not applied: ${problem.message}`)] : []
  return cutStyled(
    [paint('bold', project.id), ...away, ...invalid, ...parts].join(paint('dim', ' · ')),
    columns,
  )
}
