/** What of the log is looked at, and moving about in it. The view and where it goes, as values. */
import { createNeedle } from '../print/styled.ts'
import type { LogEntry, LogWindow } from './log-window.ts'
import { plainText } from './log-window.ts'

/** A row of the log: which of the rows that a wrapped line takes; 0 where lines are cut. */
export interface Position {
  id: number
  row: number
}

export interface LogView {
  /** The row at the top; null: the end is followed. */
  top: Position | null
  /** Lines from this one on came after the end was followed last. */
  seen: number
  /** A service's name; null: all. */
  only: string | null
  /** Lines without it are left out. */
  filter: string
  /** Looked for, and marked. */
  search: string
  /** The line that n and N start from. */
  found: number | null
  wrap: boolean
}

export const INITIAL_VIEW: LogView = {
  top: null,
  seen: 0,
  only: null,
  filter: '',
  search: '',
  found: null,
  wrap: false,
}

/** How many rows there are, and how many of them a line takes. */
export interface Area {
  rows: number
  heightOf(entry: LogEntry): number
}

/** The lines of a view, in either direction. */
export class Lines {
  readonly #logs: LogWindow
  readonly #isShown: (entry: LogEntry) => boolean

  constructor(logs: LogWindow, { only, filter }: LogView) {
    this.#logs = logs
    const needle = createNeedle(filter)
    this.#isShown = (entry) =>
      (only === null || entry.label === only) &&
      (filter === '' || needle(plainText(entry)).length > 0 || entry.label.includes(filter))
  }

  *from(id: number): Generator<LogEntry> {
    for (let at = Math.max(id, this.#logs.first); at < this.#logs.end; at++) {
      const entry = this.#logs.get(at)
      if (entry && this.#isShown(entry)) yield entry
    }
  }

  *before(id: number): Generator<LogEntry> {
    for (let at = Math.min(id, this.#logs.end) - 1; at >= this.#logs.first; at--) {
      const entry = this.#logs.get(at)
      if (entry && this.#isShown(entry)) yield entry
    }
  }
}

/** Where the rows begin that are shown. */
export function topOf(logs: LogWindow, view: LogView, area: Area): Position {
  const lines = new Lines(logs, view)
  const end = { id: logs.end, row: 0 }
  if (view.top === null) return up(lines, end, area.rows, area)
  // What was at the top may have been dropped, or left out by a filter.
  const [entry] = lines.from(view.top.id)
  if (entry === undefined) return up(lines, end, area.rows, area)
  return entry.id === view.top.id ? view.top : { id: entry.id, row: 0 }
}

/** `rows` further down, or up where negative. At the end, the end is followed. */
export function scroll(logs: LogWindow, view: LogView, rows: number, area: Area): LogView {
  const lines = new Lines(logs, view)
  const top = topOf(logs, view, area)
  const moved = rows < 0 ? up(lines, top, -rows, area) : down(lines, top, rows, area)
  const isEnd = rowsFrom(lines, moved, area.rows + 1, area) <= area.rows
  const seen = view.top === null ? logs.end : view.seen
  return { ...view, top: isEnd ? null : moved, seen }
}

export function toBeginning(logs: LogWindow, view: LogView, area: Area): LogView {
  const seen = view.top === null ? logs.end : view.seen
  return scroll(logs, { ...view, top: { id: logs.first, row: 0 }, seen }, 0, area)
}

/** The next line with what is searched for, made visible; null where there is none in that direction. */
export function findNext(logs: LogWindow, view: LogView, by: 1 | -1, area: Area): LogView | null {
  const needle = createNeedle(view.search)
  const lines = new Lines(logs, view)
  const top = topOf(logs, view, area)
  // Nothing found yet: the newest is the nearest to who looks at the end.
  const start = view.found ?? (by < 0 ? logs.end : top.id - 1)
  for (const entry of by > 0 ? lines.from(start + 1) : lines.before(start)) {
    if (needle(plainText(entry)).length === 0) continue
    const shown = { ...view, found: entry.id }
    // Whoever looks for something stays there: the end is not followed any more.
    const seen = view.top === null ? logs.end : view.seen
    if (isVisible(lines, entry.id, top, area)) return { ...shown, top, seen }
    const third = up(lines, { id: entry.id, row: 0 }, Math.floor(area.rows / 3), area)
    return { ...shown, top: third, seen }
  }
  return null
}

/** Lines that came since the end was followed. */
export function countNew(logs: LogWindow, view: LogView): number {
  if (view.top === null) return 0
  let count = logs.passed
  for (const _ of new Lines(logs, view).from(view.seen)) count++
  return count
}

function isVisible(lines: Lines, id: number, top: Position, area: Area): boolean {
  let rows = -top.row
  for (const entry of lines.from(top.id)) {
    if (rows >= area.rows || entry.id > id) return false
    if (entry.id === id) return true
    rows += area.heightOf(entry)
  }
  return false
}

/** Rows from there to the end, as far as `most`. */
function rowsFrom(lines: Lines, { id, row }: Position, most: number, area: Area): number {
  let rows = -row
  for (const entry of lines.from(id)) {
    rows += area.heightOf(entry)
    if (rows >= most) break
  }
  return rows
}

function up(lines: Lines, from: Position, rows: number, area: Area): Position {
  if (rows <= from.row) return { id: from.id, row: from.row - rows }
  let left = rows - from.row
  let at = { id: from.id, row: 0 }
  for (const entry of lines.before(from.id)) {
    const height = area.heightOf(entry)
    at = { id: entry.id, row: Math.max(0, height - left) }
    if (height >= left) break
    left -= height
  }
  return at
}

function down(lines: Lines, from: Position, rows: number, area: Area): Position {
  let left = rows + from.row
  let at = from
  for (const entry of lines.from(from.id)) {
    const height = area.heightOf(entry)
    at = { id: entry.id, row: Math.min(left, height - 1) }
    if (left < height) break
    left -= height
  }
  return at
}
