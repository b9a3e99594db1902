import { useLayoutEffect, useRef } from 'react'

/** Key (as KeyboardEvent.key has it) → what it does. */
export type KeyMap = Record<string, () => void>

/** All keys, for the help. */
export const KEYS: [keys: string[], does: string][] = [
  [['1', '2', '3', '4'], 'overview, graph, ports, problems'],
  [['j', 'k'], 'next, previous service'],
  [['Enter'], 'look at the service'],
  [['s'], 'start it, or stop it'],
  [['r'], 'restart it'],
  [['z'], 'put it to sleep: the port stays held'],
  [['o'], 'open it in a new tab'],
  [['f'], 'free its port'],
  [['/'], 'search'],
  [['m'], 'in a log: only matches, or all lines with matches marked'],
  [['n', 'N'], 'in a log: next match, match before'],
  [['w', 'c'], 'in a log: wrap lines, clear'],
  [['End'], 'in a log: follow'],
  [['Esc'], 'back'],
  [['?'], 'this'],
]

/** Keys of the page while this component is there. Not while somebody types or answers a question. */
export function useKeys(keys: KeyMap): void {
  const latest = useRef(keys)
  latest.current = keys
  // Before it is painted: what is seen can be pressed.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      if (isTyping(event.target) || document.querySelector('dialog[open]')) return
      const act = latest.current[event.key]
      if (act === undefined) return
      event.preventDefault()
      act()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement ||
  target instanceof HTMLSelectElement ||
  target instanceof HTMLTextAreaElement
