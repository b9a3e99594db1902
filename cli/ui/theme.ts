import type { Paint } from '../print/paint.ts'
import type { Mode } from './keys.ts'

/** Marks of the screen; the looks of states are those of every table (print/service.ts). */
export const MARKS = { selected: '›', unselected: ' ', within: '│', cursor: '█' } as const

/** Every key; a test presses each of them. Of a section, the part of the screen where its keys are. */
export const HELP: { title: string; keys: [key: string, does: string][] }[] = [
  {
    title: 'Services',
    keys: [
      ['↑ ↓  j k', 'select a service'],
      ['e', 'select the next one that failed'],
      ['Enter i', 'its detail: generations, sockets, environment'],
      ['r R', 'restart it, or all: a swap, nothing is refused'],
      ['s S', 'stop it and release its ports, start it again; or all'],
      ['z Z', 'sleep: end it, or all; keep the ports'],
      ['x', 'its port is taken: free it, or go without'],
      ['o O', 'open its URL, or the dashboard'],
    ],
  },
  {
    title: 'Log',
    keys: [
      ['/ n N', 'search; the next one below, above'],
      ['&', 'only lines with a text'],
      ['f', 'only the selected service; in the log alone, the next one'],
      ['w', 'wrap long lines, or cut them'],
      ['PgUp PgDn', 'scroll; so do ^B ^F, and ^U ^D by half'],
      ['g G', 'to the beginning; follow the end'],
      ['l L', 'the log alone; that of the selected service'],
      ['j k Space b', 'there: a line, a page; d u half a page; q back'],
      ['Esc', 'all of the log again'],
    ],
  },
  {
    title: 'Everywhere',
    keys: [
      [':', 'any command, by the beginnings of its words; Tab completes'],
      ['^L', 'draw the screen again'],
      ['d', 'detach: leave it up'],
      ['q  ^C', 'bring it down; ^C again: at once'],
    ],
  },
]

const KEY_LINES: Record<Mode, string[]> = {
  main: [
    '? help',
    'q quit',
    'd detach',
    ': command',
    '/ search',
    'r restart',
    's stop',
    'Enter detail',
    'l log',
    'f filter',
    'o open',
    'z sleep',
  ],
  pager: [
    '? help',
    'q back',
    '/ search',
    'n N next',
    'Space b page',
    'g G ends',
    'f service',
    '& filter',
    'w wrap',
  ],
  detail: ['? help', 'Esc back', 'j k other', 'r restart', 's stop', 'z sleep', 'o open', 'PgUp PgDn scroll'],
  help: ['Esc back', 'j k scroll'],
}

/** The last line, as much of it as fits. */
export function formatKeyLine(mode: Mode, width: number, isLeased: boolean, paint: Paint): string {
  let line = ''
  for (const part of KEY_LINES[mode]) {
    const text = part === 'q quit' && !isLeased ? 'q leave' : part
    const next = line === '' ? text : `${line} · ${text}`
    if (next.length > width) break
    line = next
  }
  return paint('dim', line)
}
