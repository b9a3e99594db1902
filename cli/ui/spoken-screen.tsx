import { Box, Static, Text } from 'ink'
import { useSyncExternalStore } from 'react'
import type { Paint } from '../print/paint.ts'
import { formatSockets } from '../print/service.ts'
import { drawDetail } from './detail.ts'
import { drawHelp } from './help.ts'
import type { Action, ScreenState, Surroundings } from './keys.ts'
import { clampSelected } from './keys.ts'
import { drawLastLine } from './last-line.ts'
import { areaOf, drawLog, drawRule, type LogLook } from './log-rows.ts'
import { drawOffers } from './offers.ts'
import type { ProjectStore, ProjectView } from './project-store.ts'
import type { Speech } from './speech.ts'
import { useKeys } from './use-keys.ts'
import { useProject } from './use-project.ts'

interface Props {
  store: ProjectStore
  speech: Speech
  act(action: Action): void
  isLeased: boolean
  paint: Paint
}

/** Lines of the log that are read out where somebody asked for them. */
const LOG_ROWS = 10
const COLUMNS = 200

/**
 * The screen for who hears it: what happens is said once, in lines that stay, and below them one sentence about what
 * the keys are at. Nothing is drawn twice, and nothing is told by its place or its colour.
 */
export function SpokenScreen({ store, speech, act, isLeased, paint }: Props) {
  const view = useProject(store)
  const said = useSyncExternalStore(speech.subscribe, speech.said)
  const { services } = view.project
  const { logs } = store
  const log: LogLook = {
    columns: COLUMNS,
    rows: LOG_ROWS,
    labels: services.map(({ name }) => name),
    paint,
    colours: false,
  }
  const state = useKeys(
    (): Surroundings => ({ services, logs, area: (of) => areaOf(of, log), prompt: store.view().prompt }),
    act,
  )
  return (
    <>
      <Static items={said}>{({ id, text }) => <Text key={id}>{text}</Text>}</Static>
      <Box flexDirection="column">
        {drawSpoken(view, state, logs, log, isLeased).map((row, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
          <Text key={index}>{row}</Text>
        ))}
      </Box>
    </>
  )
}

function drawSpoken(
  view: ProjectView,
  state: ScreenState,
  logs: ProjectStore['logs'],
  log: LogLook,
  isLeased: boolean,
): string[] {
  const { services } = view.project
  const { paint } = log
  const look = { columns: COLUMNS, paint, colours: false }
  const selected = services[clampSelected(state.selected, services.length)]
  const last = [drawLastLine(view, state, isLeased, COLUMNS, paint)]
  if (view.isLeaving || view.prompt) return last
  if (state.typing) return [...drawOffers(state.typing, services, 3, COLUMNS, paint), ...last]
  switch (state.mode) {
    case 'help':
      return [...drawHelp(COLUMNS / 2, Number.POSITIVE_INFINITY, paint), ...last]
    case 'detail':
      if (!selected) return last
      return [
        ...drawDetail(
          selected,
          view.happenings[selected.name] ?? [],
          view.variables[selected.name] ?? null,
          look,
        ),
        ...last,
      ]
    case 'pager':
      return [drawRule(logs, state.log, { ...log, columns: 60 }), ...drawLog(logs, state.log, log), ...last]
    case 'main': {
      if (state.message) return last
      const place = `${clampSelected(state.selected, services.length) + 1} of ${services.length}`
      if (!selected) return ['no services. ? lists the keys']
      const { name, state: kind, reason } = selected
      return [
        [`${name} ${kind}`, reason.message, formatSockets(selected), place, '? lists the keys']
          .filter(Boolean)
          .join(', '),
      ]
    }
  }
}
