/** The log as rows of a screen. */
import { labelColour } from '../print/log.ts'
import type { Paint } from '../print/paint.ts'
import { sanitizeLine } from '../print/sanitize.ts'
import { createNeedle, cutStyled, markStyled, wrapStyled } from '../print/styled.ts'
import { plural } from '../print/units.ts'
import { displayWidth, pad, truncate } from '../print/width.ts'
import { type Area, countNew, Lines, type LogView, topOf } from './log-view.ts'
import { type LogEntry, type LogWindow, OWN_LABEL } from './log-window.ts'

export interface LogLook {
  columns: number
  rows: number
  /** Services, whose names stand before their lines. */
  labels: string[]
  paint: Paint
  colours: boolean
}

const WIDEST_LABEL = 16
/** Below that, a label leaves no room for what it labels. */
const LEAST_COLUMNS = 30

/** Rows of a line: as many as it takes where lines are wrapped, else one. */
function rowsOf(entry: LogEntry, view: LogView, look: LogLook): string[] {
  const { columns, paint, colours } = look
  const width = labelWidthOf(view, look)
  const room = Math.max(1, columns - (width === 0 ? 0 : width + 3))
  const safe = sanitizeLine(entry.text, { colours })
  const text = entry.label === OWN_LABEL ? paint('dim', safe) : safe
  const marked = view.search === '' ? text : markStyled(text, createNeedle(view.search))
  const rows = view.wrap ? wrapStyled(marked, room) : [cutStyled(marked, room)]
  if (width === 0) return rows
  const bar = paint('dim', entry.id === view.found ? '›' : '|')
  const label = paint(labelColour(entry.label), pad(truncate(entry.label, width), width))
  return rows.map((row, index) => `${index === 0 ? label : ' '.repeat(width)} ${bar} ${row}`)
}

function labelWidthOf({ only }: LogView, { labels, columns }: LogLook): number {
  if (only !== null || columns < LEAST_COLUMNS) return 0
  return Math.min(
    WIDEST_LABEL,
    Math.floor(columns / 4),
    Math.max(0, ...[...labels, OWN_LABEL].map(displayWidth)),
  )
}

export const areaOf = (view: LogView, look: LogLook): Area => ({
  rows: look.rows,
  heightOf: view.wrap ? (entry) => rowsOf(entry, view, look).length : () => 1,
})

/** What is to be seen of the log: `look.rows` rows at most. */
export function drawLog(logs: LogWindow, view: LogView, look: LogLook): string[] {
  const top = topOf(logs, view, areaOf(view, look))
  const rows: string[] = []
  for (const entry of new Lines(logs, view).from(top.id)) {
    const own = rowsOf(entry, view, look)
    rows.push(...(entry.id === top.id ? own.slice(top.row) : own))
    if (rows.length >= look.rows) break
  }
  return rows.slice(0, look.rows)
}

/** The line above the log: of whom it is, and what is not to be seen. */
export function drawRule(logs: LogWindow, view: LogView, look: LogLook): string {
  const { columns, paint } = look
  const parts = [view.only ?? 'all services']
  if (view.filter !== '') parts.push(`only lines with ${view.filter}`)
  if (view.search !== '') parts.push(`/${view.search}`)
  if (view.wrap) parts.push('wrapped')
  const left = truncate(`── ${parts.join(' · ')} `, columns)
  const fresh = countNew(logs, view)
  const news = fresh > 0 ? `${plural(fresh, 'new line')} · ` : ''
  const right = view.top === null ? '' : ` paused · ${news}G follows`
  const line = '─'.repeat(Math.max(0, columns - displayWidth(left) - displayWidth(right)))
  if (line === '' && right !== '') return paint('yellow', truncate(right.trim(), columns))
  return paint('dim', left + line) + paint('yellow', right)
}
