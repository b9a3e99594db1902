import { useInput } from 'ink'
import { useState } from 'react'
import type { ServiceStatus, ServiceVerb } from '../../proxy/protocol.ts'

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

export interface KeyState {
  /** `filter`: keys are text. */
  mode: 'normal' | 'filter' | 'help'
  selected: number
  filter: string
}

/** What the arrows, letters and Ctrl-C do. */
export function useKeys(services: ServiceStatus[], actions: ScreenActions): KeyState {
  const [mode, setMode] = useState<KeyState['mode']>('normal')
  const [wanted, setSelected] = useState(0)
  const [filter, setFilter] = useState('')
  // A new configuration may have fewer services.
  const selected = Math.max(0, Math.min(wanted, services.length - 1))

  useInput((input, key) => {
    if (key.ctrl && input === 'c') return actions.interrupt()
    if (mode === 'filter') {
      if (key.escape) setFilter('')
      if (key.escape || key.return) return setMode('normal')
      if (key.backspace || key.delete) return setFilter((text) => [...text].slice(0, -1).join(''))
      if (!key.ctrl && !key.meta && !key.tab && isPrintable(input)) setFilter((text) => text + input)
      return
    }
    if (mode === 'help') return setMode('normal')
    if (key.upArrow || input === 'k') return setSelected(Math.max(0, selected - 1))
    if (key.downArrow || input === 'j') return setSelected(Math.min(services.length - 1, selected + 1))
    if (key.escape) return setFilter('')
    if (input === '/') return setMode('filter')
    if (input === '?') return setMode('help')
    if (input === 'd') return actions.detach()
    if (input === 'q') return actions.quit()
    const service = services[selected]
    if (service) onServiceKey(input, service, actions)
  })
  return { mode, selected, filter }
}

function onServiceKey(input: string, service: ServiceStatus, actions: ScreenActions): void {
  switch (input) {
    case 'r':
      return actions.verb(service, 'restart')
    case 's':
      return actions.verb(service, service.desired === 'down' ? 'start' : 'stop')
    case 'z':
      return actions.verb(service, 'sleep')
    case 'o':
      return actions.open(service)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not get in
const isPrintable = (input: string): boolean => input !== '' && !/[\u0000-\u001f\u007f]/.test(input)
