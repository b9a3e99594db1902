import { type Key as InkKey, useInput } from 'ink'
import { useRef, useState } from 'react'
import type { ServiceStatus, ServiceVerb } from '../../proxy/protocol.ts'
import { clampSelected, INITIAL_KEYS, type Key, type KeyAction, type KeyState, press } from './keys.ts'

/** What a key may do outside of the screen. */
export interface ScreenActions {
  verb(service: ServiceStatus, verb: ServiceVerb): void
  open(service: ServiceStatus): void
  /** Leaves the project up. */
  detach(): void
  /** Brings a leased project down; leaves an attached one. */
  quit(): void
  /** Ctrl-C: as quit; again: at once. */
  interrupt(): void
}

/** What was typed, as the state of the screen and as actions. */
export function useKeys(services: ServiceStatus[], actions: ScreenActions): KeyState {
  const [state, setState] = useState(INITIAL_KEYS)
  // Keys that were typed fast come in one read, and each must see what the one before it did.
  const latest = useRef(state)
  useInput((input, inkKey) => {
    for (const key of toKeys(input, inkKey)) {
      const [next, action] = press(latest.current, key, services.length)
      latest.current = next
      if (action) perform(action, services[clampSelected(next.selected, services.length)], actions)
    }
    setState(latest.current)
  })
  return { ...state, selected: clampSelected(state.selected, services.length) }
}

function toKeys(input: string, key: InkKey): Key[] {
  if (key.ctrl) return input === 'c' ? [{ name: 'interrupt' }] : []
  if (key.upArrow) return [{ name: 'up' }]
  if (key.downArrow) return [{ name: 'down' }]
  if (key.escape) return [{ name: 'escape' }]
  if (key.return) return [{ name: 'return' }]
  if (key.backspace || key.delete) return [{ name: 'backspace' }]
  if (key.meta || key.tab) return []
  return [...input].filter(isPrintable).map((text) => ({ name: 'character', text }))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not get in
const isPrintable = (character: string): boolean => !/[\u0000-\u001f\u007f]/.test(character)

function perform(action: KeyAction, service: ServiceStatus | undefined, actions: ScreenActions): void {
  if (action === 'detach' || action === 'quit' || action === 'interrupt') return actions[action]()
  if (!service) return
  switch (action) {
    case 'open':
      return actions.open(service)
    case 'stop-or-start':
      return actions.verb(service, service.desired === 'down' ? 'start' : 'stop')
    default:
      return actions.verb(service, action)
  }
}
