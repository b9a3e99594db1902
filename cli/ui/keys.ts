/** What each key does, as a function: state and key in, state and what to do out. */

/** `filter`: keys are text. */
export interface KeyState {
  mode: 'normal' | 'filter' | 'help'
  selected: number
  filter: string
}

/** What a key may ask for outside of the screen. */
export type KeyAction = 'restart' | 'stop-or-start' | 'sleep' | 'open' | 'detach' | 'quit' | 'interrupt'

/** A character, or one of the keys that have none. */
export type Key =
  | { name: 'up' | 'down' | 'escape' | 'return' | 'backspace' | 'interrupt' }
  | { name: 'character'; text: string }

export const INITIAL_KEYS: KeyState = { mode: 'normal', selected: 0, filter: '' }

/** `services`: how many there are to select from. */
export function press(state: KeyState, key: Key, services: number): [KeyState, KeyAction | null] {
  if (key.name === 'interrupt') return [state, 'interrupt']
  switch (state.mode) {
    case 'filter':
      return [editFilter(state, key), null]
    case 'help':
      return [{ ...state, mode: 'normal' }, null]
    case 'normal':
      return pressNormally(state, key, services)
  }
}

function editFilter(state: KeyState, key: Key): KeyState {
  switch (key.name) {
    case 'escape':
      return { ...state, mode: 'normal', filter: '' }
    case 'return':
      return { ...state, mode: 'normal' }
    case 'backspace':
      return { ...state, filter: [...state.filter].slice(0, -1).join('') }
    case 'character':
      return { ...state, filter: state.filter + key.text }
    default:
      return state
  }
}

function pressNormally(state: KeyState, key: Key, services: number): [KeyState, KeyAction | null] {
  switch (key.name === 'character' ? key.text : key.name) {
    case 'up':
    case 'k':
      return [select(state, -1, services), null]
    case 'down':
    case 'j':
      return [select(state, 1, services), null]
    case 'escape':
      return [{ ...state, filter: '' }, null]
    case '/':
      return [{ ...state, mode: 'filter' }, null]
    case '?':
      return [{ ...state, mode: 'help' }, null]
    case 'r':
      return [state, 'restart']
    case 's':
      return [state, 'stop-or-start']
    case 'z':
      return [state, 'sleep']
    case 'o':
      return [state, 'open']
    case 'd':
      return [state, 'detach']
    case 'q':
      return [state, 'quit']
    default:
      return [state, null]
  }
}

/** A new configuration may have fewer services than were selected among. */
export const clampSelected = (selected: number, services: number): number =>
  Math.max(0, Math.min(selected, services - 1))

const select = (state: KeyState, by: number, services: number): KeyState => ({
  ...state,
  selected: clampSelected(clampSelected(state.selected, services) + by, services),
})
