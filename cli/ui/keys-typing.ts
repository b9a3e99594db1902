import type { Key, Pressed, ScreenState, Surroundings } from './keys.ts'
import { find } from './keys-log.ts'
import { commandsFor, complete, runCommand } from './palette.ts'

/** What is typed in the last line, and which of the offered commands is chosen. */
export interface Typing {
  what: 'search' | 'filter' | 'command'
  text: string
  choice: number
}

export const beginTyping = (state: ScreenState, what: Typing['what'], text = ''): ScreenState => ({
  ...state,
  typing: { what, text, choice: 0 },
})

export function pressWhileTyping(
  state: ScreenState,
  typing: Typing,
  key: Key,
  around: Surroundings,
): Pressed {
  switch (key.name) {
    case 'escape':
      return [{ ...state, typing: null }, null]
    case 'return':
      return finish({ ...state, typing: null }, typing, around)
    case 'backspace':
      // As in less: one more and it is over.
      if (typing.text === '') return [{ ...state, typing: null }, null]
      return [edited(state, typing, [...typing.text].slice(0, -1).join('')), null]
    case 'character':
      return [edited(state, typing, typing.text + key.text), null]
    case 'control':
      return [key.text === 'u' ? edited(state, typing, '') : state, null]
    case 'tab':
    case 'up':
    case 'down':
      return [typing.what === 'command' ? chosen(state, typing, key.name, around) : state, null]
    default:
      return [state, null]
  }
}

/** A filter acts while it is typed. */
function edited(state: ScreenState, typing: Typing, text: string): ScreenState {
  const log = typing.what === 'filter' ? { ...state.log, filter: text } : state.log
  return { ...state, log, typing: { ...typing, text, choice: 0 } }
}

function chosen(
  state: ScreenState,
  typing: Typing,
  key: 'tab' | 'up' | 'down',
  around: Surroundings,
): ScreenState {
  const offered = complete(typing.text, commandsFor(around.services))
  if (offered.length === 0) return state
  if (key === 'tab') {
    const text = offered[typing.choice]?.text ?? typing.text
    return { ...state, typing: { ...typing, text, choice: 0 } }
  }
  const choice = (typing.choice + (key === 'down' ? 1 : -1) + offered.length) % offered.length
  return { ...state, typing: { ...typing, choice } }
}

function finish(state: ScreenState, { what, text, choice }: Typing, around: Surroundings): Pressed {
  switch (what) {
    case 'filter':
      return [{ ...state, log: { ...state.log, filter: text } }, null]
    case 'search': {
      // An empty search looks for the last one again, as in less.
      const search = text === '' ? state.log.search : text
      const fresh = { ...state, log: { ...state.log, search, found: text === '' ? state.log.found : null } }
      if (search === '') return [fresh, null]
      // What is looked for is most often what has just been seen: upwards from the end, else downwards.
      return [find(fresh, state.log.top === null ? -1 : 1, around), null]
    }
    case 'command':
      return runCommand(state, text, choice, around)
  }
}
