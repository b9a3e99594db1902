/** What each key does, as a function: state and key in, state and what to do out. */
import type { ServiceStatus, ServiceVerb } from '../../proxy/protocol.ts'
import { pressInLog } from './keys-log.ts'
import { pressInMain } from './keys-main.ts'
import { pressWhileTyping, type Typing } from './keys-typing.ts'
import { type Area, INITIAL_VIEW, type LogView } from './log-view.ts'
import type { LogWindow } from './log-window.ts'
import type { Prompt } from './project-store.ts'

/** `pager`: the log alone; `detail`: a service in place of the log. */
export type Mode = 'main' | 'pager' | 'detail' | 'help'

export interface ScreenState {
  mode: Mode
  /** Where Escape goes from the help. */
  before: Mode
  selected: number
  log: LogView
  /** What is being typed in the last line. */
  typing: Typing | null
  /** Of the help or the detail: its first row that is shown. */
  offset: number
  /** Shown in the last line until the next key. */
  message: string | null
}

/** What a key may ask for outside of the screen. Services by name. */
export type Action =
  | { do: 'verb'; verb: ServiceVerb; services: string[] }
  | { do: 'open' | 'look' | 'settle'; service: string }
  | { do: 'free'; port: number }
  | { do: 'answer'; key: string | null }
  | { do: 'dashboard' | 'detach' | 'quit' | 'interrupt' | 'repaint' }

/** What a key may need to know. */
export interface Surroundings {
  services: ServiceStatus[]
  logs: LogWindow
  area(view: LogView): Area
  prompt: Prompt | null
}

/** A character, or one of the keys that have none. `control`: with Ctrl. */
export type Key = { name: NamedKey } | { name: 'character'; text: string } | { name: 'control'; text: string }

export type NamedKey =
  | 'up'
  | 'down'
  | 'pageup'
  | 'pagedown'
  | 'home'
  | 'end'
  | 'escape'
  | 'return'
  | 'tab'
  | 'backspace'

export type Pressed = [ScreenState, Action | null]

export const INITIAL_STATE: ScreenState = {
  mode: 'main',
  before: 'main',
  selected: 0,
  log: INITIAL_VIEW,
  typing: null,
  offset: 0,
  message: null,
}

export function press(before: ScreenState, key: Key, around: Surroundings): Pressed {
  const state = { ...before, message: null }
  if (key.name === 'control') {
    if (key.text === 'c') return [state, { do: 'interrupt' }]
    if (key.text === 'l') return [state, { do: 'repaint' }]
  }
  if (around.prompt) return answer(state, key, around.prompt)
  if (state.typing) return pressWhileTyping(state, state.typing, key, around)
  switch (state.mode) {
    case 'main':
    case 'detail':
      return pressInMain(state, key, around)
    case 'pager':
      return pressInLog(state, key, around)
    case 'help':
      return [pressInHelp(state, key), null]
  }
}

function answer(state: ScreenState, key: Key, { choices }: Prompt): Pressed {
  if (key.name === 'escape') return [state, { do: 'answer', key: null }]
  const text = key.name === 'character' ? key.text.toLowerCase() : ''
  return [state, choices.some((choice) => choice.key === text) ? { do: 'answer', key: text } : null]
}

function pressInHelp(state: ScreenState, key: Key): ScreenState {
  switch (key.name === 'character' ? key.text : key.name) {
    case 'down':
    case 'j':
    case 'pagedown':
    case ' ':
      return { ...state, offset: state.offset + (key.name === 'down' ? 1 : 5) }
    case 'up':
    case 'k':
    case 'pageup':
    case 'b':
      return { ...state, offset: Math.max(0, state.offset - (key.name === 'up' ? 1 : 5)) }
    default:
      return { ...state, mode: state.before, offset: 0 }
  }
}

/** A new configuration may have fewer services than were selected among. */
export const clampSelected = (selected: number, services: number): number =>
  Math.max(0, Math.min(selected, services - 1))

export const textOf = (key: Key): string =>
  key.name === 'character' ? key.text : key.name === 'control' ? `^${key.text}` : key.name
