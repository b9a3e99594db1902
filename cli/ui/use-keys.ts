import { type Key as InkKey, useInput } from 'ink'
import { useRef, useState } from 'react'
import {
  type Action,
  clampSelected,
  INITIAL_STATE,
  type Key,
  type NamedKey,
  press,
  type ScreenState,
  type Surroundings,
} from './keys.ts'

/** What was typed, as the state of the screen and as actions. */
export function useKeys(
  surroundings: (state: ScreenState) => Surroundings,
  act: (action: Action) => void,
): ScreenState {
  const [state, setState] = useState(INITIAL_STATE)
  // Keys that were typed fast come in one read, and each must see what the one before it did.
  const latest = useRef(state)
  const services = useRef(0)
  useInput((input, inkKey) => {
    for (const key of toKeys(input, inkKey)) {
      const around = surroundings(latest.current)
      services.current = around.services.length
      const [next, action] = press(latest.current, key, around)
      latest.current = { ...next, selected: clampSelected(next.selected, around.services.length) }
      if (action) act(action)
    }
    setState(latest.current)
  })
  return state
}

const NAMED: [keyof InkKey, NamedKey][] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['escape', 'escape'],
  ['return', 'return'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  // What most terminals send for Backspace, Ink calls delete.
  ['delete', 'backspace'],
]

function toKeys(input: string, key: InkKey): Key[] {
  if (key.ctrl) return [{ name: 'control', text: input }]
  const named = NAMED.find(([flag]) => key[flag])
  if (named) return [{ name: named[1] }]
  return [...input].flatMap(toKey)
}

/** Of several that came in one read, which Ink tells as one text. */
function toKey(character: string): Key[] {
  if (character === '\r' || character === '\n') return [{ name: 'return' }]
  if (character === '\t') return [{ name: 'tab' }]
  if (character === '\b' || character === '\u007f') return [{ name: 'backspace' }]
  const letter = String.fromCharCode(character.charCodeAt(0) + 0x60)
  if (/^[a-z]$/.test(letter)) return [{ name: 'control', text: letter }]
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not get in
  return /[\u0000-\u001f\u007f-\u009f]/.test(character) ? [] : [{ name: 'character', text: character }]
}
