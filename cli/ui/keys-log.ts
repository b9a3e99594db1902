import type { Key, Pressed, ScreenState, Surroundings } from './keys.ts'
import { textOf } from './keys.ts'
import { beginTyping } from './keys-typing.ts'
import { findNext, INITIAL_VIEW, scroll, toBeginning } from './log-view.ts'

/** The log alone: a pager's keys. */
export function pressInLog(state: ScreenState, key: Key, around: Surroundings): Pressed {
  const page = around.area(state.log).rows
  switch (textOf(key)) {
    case 'j':
    case 'down':
    case 'return':
      return [moved(state, 1, around), null]
    case 'k':
    case 'up':
      return [moved(state, -1, around), null]
    case ' ':
      return [moved(state, page, around), null]
    case 'b':
      return [moved(state, -page, around), null]
    case 'd':
      return [moved(state, Math.ceil(page / 2), around), null]
    case 'u':
      return [moved(state, -Math.ceil(page / 2), around), null]
    case 'f':
      return [filterNext(state, around), null]
    case 'q':
    case 'l':
      return [{ ...state, mode: 'main' }, null]
    case 'escape':
      return [isNarrowed(state) ? { ...state, log: widened(state) } : { ...state, mode: 'main' }, null]
    default:
      return pressForLog(state, key, around) ?? [state, null]
  }
}

/** Keys of the log that do the same beside the table; null: not one of them. */
export function pressForLog(state: ScreenState, key: Key, around: Surroundings): Pressed | null {
  const { log } = state
  const area = around.area(log)
  switch (textOf(key)) {
    case 'pagedown':
    case '^f':
      return [moved(state, area.rows, around), null]
    case 'pageup':
    case '^b':
      return [moved(state, -area.rows, around), null]
    case '^d':
      return [moved(state, Math.ceil(area.rows / 2), around), null]
    case '^u':
      return [moved(state, -Math.ceil(area.rows / 2), around), null]
    case 'g':
    case 'home':
      return [{ ...state, log: toBeginning(around.logs, log, area) }, null]
    case 'G':
    case 'end':
      return [{ ...state, log: { ...log, top: null } }, null]
    case 'w':
      return [{ ...state, log: { ...log, wrap: !log.wrap, top: log.top && { ...log.top, row: 0 } } }, null]
    case 'n':
      return [find(state, 1, around), null]
    case 'N':
      return [find(state, -1, around), null]
    case '/':
      return [beginTyping(state, 'search'), null]
    case '&':
      return [beginTyping(state, 'filter', log.filter), null]
    case ':':
      return [beginTyping(state, 'command'), null]
    case '?':
      return [{ ...state, mode: 'help', before: state.mode, offset: 0 }, null]
    default:
      return null
  }
}

export function find(state: ScreenState, by: 1 | -1, around: Surroundings): ScreenState {
  const { log } = state
  if (log.search === '') return { ...state, message: 'nothing to look for: / begins' }
  const found = findNext(around.logs, log, by, around.area(log))
  if (found) return { ...state, log: found }
  return {
    ...state,
    message: `no ${log.found === null ? '' : 'other '}line with ${log.search} ${by > 0 ? 'below' : 'above'}`,
  }
}

/** A filter, a search or a service is chosen. */
export const isNarrowed = ({ log }: ScreenState): boolean =>
  log.only !== null || log.filter !== '' || log.search !== ''

export const widened = ({ log }: ScreenState) => ({ ...INITIAL_VIEW, wrap: log.wrap })

const moved = (state: ScreenState, rows: number, { logs, area }: Surroundings): ScreenState => ({
  ...state,
  log: scroll(logs, state.log, rows, area(state.log)),
})

/** All services, then each. */
function filterNext(state: ScreenState, { services }: Surroundings): ScreenState {
  const names = [null, ...services.map(({ name }) => name)]
  const only = names[(names.indexOf(state.log.only) + 1) % names.length] ?? null
  return { ...state, log: { ...state.log, only } }
}
