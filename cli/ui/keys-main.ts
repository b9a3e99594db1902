import type { ServiceStatus, ServiceVerb } from '../../proxy/protocol.ts'
import type { Action, Key, Pressed, ScreenState, Surroundings } from './keys.ts'
import { clampSelected, textOf } from './keys.ts'
import { isNarrowed, pressForLog, widened } from './keys-log.ts'

const VERBS: Record<string, ServiceVerb> = { r: 'restart', z: 'sleep' }

/** The table with the log, or with the detail of the selected service. */
export function pressInMain(state: ScreenState, key: Key, around: Surroundings): Pressed {
  const { services } = around
  const selected = services[clampSelected(state.selected, services.length)]
  const text = textOf(key)
  const isDetail = state.mode === 'detail'
  switch (text) {
    case 'up':
    case 'k':
      return select(state, -1, around)
    case 'down':
    case 'j':
      return select(state, 1, around)
    case 'e':
      return selectFailed(state, around)
    case 'return':
    case 'i':
      if (isDetail) return [{ ...state, mode: 'main' }, null]
      return look({ ...state, mode: 'detail', offset: 0 }, selected)
    case 'escape':
      if (isDetail) return [{ ...state, mode: 'main' }, null]
      return [isNarrowed(state) || state.log.top ? { ...state, log: widened(state) } : state, null]
    case 'l':
      return [{ ...state, mode: 'pager' }, null]
    case 'L':
      return [
        selected ? { ...state, mode: 'pager', log: { ...state.log, only: selected.name } } : state,
        null,
      ]
    case 'f': {
      if (!selected) return [state, null]
      const only = state.log.only === selected.name ? null : selected.name
      return [{ ...state, log: { ...state.log, only } }, null]
    }
    case 'd':
      return [state, { do: 'detach' }]
    case 'q':
      if (isDetail) return [{ ...state, mode: 'main' }, null]
      return [state, { do: 'quit' }]
    case 'O':
      return [state, { do: 'dashboard' }]
    case 'pagedown':
    case 'pageup':
      if (isDetail)
        return [{ ...state, offset: Math.max(0, state.offset + (text === 'pageup' ? -5 : 5)) }, null]
  }
  const action = actionOf(text, selected, services)
  return action ? [state, action] : (pressForLog(state, key, around) ?? [state, null])
}

/** Small letters: the selected service. Capitals: all. */
function actionOf(
  text: string,
  selected: ServiceStatus | undefined,
  services: ServiceStatus[],
): Action | null {
  if (selected === undefined) return null
  const verb = VERBS[text.toLowerCase()]
  const isAll = text !== text.toLowerCase()
  const targets = isAll ? services.filter(({ desired }) => desired !== 'down') : [selected]
  if (verb) return { do: 'verb', verb, services: targets.map(({ name }) => name) }
  switch (text) {
    case 's':
      return { do: 'verb', verb: selected.desired === 'down' ? 'start' : 'stop', services: [selected.name] }
    case 'S':
      return targets.length > 0
        ? { do: 'verb', verb: 'stop', services: targets.map(({ name }) => name) }
        : { do: 'verb', verb: 'start', services: services.map(({ name }) => name) }
    case 'o':
      return { do: 'open', service: selected.name }
    case 'x':
      return { do: 'settle', service: selected.name }
    default:
      return null
  }
}

function select(state: ScreenState, by: number, { services }: Surroundings): Pressed {
  const selected = clampSelected(clampSelected(state.selected, services.length) + by, services.length)
  return look({ ...state, selected, offset: 0 }, services[selected])
}

/** The next one that failed or has no port, after the selected one. */
function selectFailed(state: ScreenState, { services }: Surroundings): Pressed {
  const count = services.length
  for (let step = 1; step <= count; step++) {
    const index = (clampSelected(state.selected, count) + step) % count
    const { state: kind } = services[index] ?? {}
    if (kind === 'failed' || kind === 'conflict')
      return look({ ...state, selected: index, offset: 0 }, services[index])
  }
  return [{ ...state, message: 'nothing has failed' }, null]
}

/** The detail needs the names of a service's variables. */
const look = (state: ScreenState, service: ServiceStatus | undefined): Pressed => [
  state,
  state.mode === 'detail' && service ? { do: 'look', service: service.name } : null,
]
