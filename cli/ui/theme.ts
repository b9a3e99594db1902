import type { Paint } from '../print/paint.ts'

/** Marks of the screen; the looks of states are those of every table (print/service.ts). */
export const MARKS = { selected: '›', unselected: ' ' } as const

export const KEYS: [key: string, does: string][] = [
  ['↑ ↓ j k', 'select a service'],
  ['r', 'restart it: a swap, nothing is refused'],
  ['s', 'stop it and release its ports; start it again'],
  ['z', 'sleep: end it, keep its ports'],
  ['o', 'open its URL'],
  ['/', 'filter the log; Esc ends that'],
  ['d', 'detach: leave it up'],
  ['q  Ctrl-C', 'bring it down; Ctrl-C again: at once'],
]

/** The last line, as much of it as fits. */
export function formatKeyLine(width: number, isLeased: boolean, paint: Paint): string {
  const quit = isLeased ? 'q quit' : 'q leave'
  const parts = ['? help', quit, 'd detach', 'r restart', 's stop', 'o open', '/ filter', 'z sleep']
  let line = ''
  for (const part of parts) {
    const next = line === '' ? part : `${line} · ${part}`
    if (next.length > width) break
    line = next
  }
  return paint('dim', line)
}
