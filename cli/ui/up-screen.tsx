import { Box, Text } from 'ink'
import type { Paint } from '../print/paint.ts'
import { pad } from '../print/width.ts'
import type { KeyState } from './keys.ts'
import { LogPane } from './log-pane.tsx'
import type { ProjectStore, ProjectView } from './project-store.ts'
import { ServicesTable } from './services-table.tsx'
import { formatKeyLine, KEYS } from './theme.ts'
import { type ScreenActions, useKeys } from './use-keys.ts'
import { useProject } from './use-project.ts'
import { useTerminalSize } from './use-terminal-size.ts'

interface Props {
  store: ProjectStore
  actions: ScreenActions
  isLeased: boolean
  paint: Paint
  colours: boolean
}

/** Header, why of the selected service, and the last line. */
const FIXED_ROWS = 3

/** The screen of `devsock up`: services above, their merged log below. */
export function UpScreen({ store, actions, isLeased, paint, colours }: Props) {
  const view = useProject(store)
  const { columns, rows } = useTerminalSize()
  const { services } = view.project
  const keys = useKeys(services, actions)
  // Ink redraws the whole screen, and flickers, once the output is as high as the terminal.
  const height = Math.max(FIXED_ROWS + 3, rows - 1)
  const tableRows = Math.min(services.length + 1, Math.max(2, Math.floor((height - FIXED_ROWS) / 2)))
  const logRows = height - FIXED_ROWS - tableRows
  return (
    <Box flexDirection="column" height={height} width={columns}>
      <Text wrap="truncate">{formatHeader(view, paint)}</Text>
      {keys.mode === 'help' ? (
        <Help rows={tableRows + logRows + 1} paint={paint} />
      ) : (
        <>
          <ServicesTable
            services={services}
            selected={keys.selected}
            columns={columns}
            rows={tableRows}
            paint={paint}
          />
          <Text wrap="truncate">{formatWhy(view, keys.selected, paint)}</Text>
          <LogPane
            logs={view.logs}
            filter={keys.filter}
            rows={logRows}
            labels={services.map(({ name }) => name)}
            paint={paint}
            colours={colours}
          />
        </>
      )}
      <Text wrap="truncate">{formatLastLine(view, keys, columns, isLeased, paint)}</Text>
    </Box>
  )
}

function Help({ rows, paint }: { rows: number; paint: Paint }) {
  return (
    <Box flexDirection="column" height={rows}>
      {KEYS.map(([key, does]) => (
        <Text key={key} wrap="truncate">
          {`  ${paint('bold', pad(key, 10))} ${does}`}
        </Text>
      ))}
    </Box>
  )
}

function formatHeader({ project, isLive }: ProjectView, paint: Paint): string {
  const away = isLive ? '' : paint('yellow', '  the daemon is away; it comes back')
  const problem = project.problems[0]
  const invalid = problem ? paint('red', `  configuration not applied: ${problem.message}`) : ''
  return `${paint('bold', project.id)}${away}${invalid}`
}

function formatWhy({ project }: ProjectView, selected: number, paint: Paint): string {
  const service = project.services[selected]
  if (!service) return ''
  const { message, hint } = service.reason
  return paint('dim', `${service.name}: ${message}${hint ? ` · ${hint}` : ''}`)
}

function formatLastLine(
  view: ProjectView,
  keys: KeyState,
  columns: number,
  isLeased: boolean,
  paint: Paint,
): string {
  if (view.isLeaving) return paint('yellow', 'ending the services · Ctrl-C again: at once')
  if (keys.mode === 'filter') return `/${keys.filter}█`
  if (keys.filter !== '') return paint('dim', `filter: ${keys.filter} · Esc ends it`)
  return formatKeyLine(columns, isLeased, paint)
}
