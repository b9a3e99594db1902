import { displayWidth, truncate } from './width.ts'

export interface Column {
  title: string
  /** May be cut down to this width where the table does not fit; absent: never cut. */
  least?: number
  /** Left out where the table does not fit even when cut; the largest first. */
  drop?: number
}

/** A cell's text, and how to dress it once it is cut and padded (escape sequences must not be counted). */
export interface Cell {
  text: string
  paint?: (text: string) => string
}

const GAP = 2

/**
 * Lines of a table, titles first, columns two apart. Where the terminal is too narrow, the widest column that
 * may shrink gives a column at a time; the last resort is cutting every line at the edge.
 */
export function formatTable(columns: Column[], rows: (string | Cell)[][], width: number): string[] {
  const leaves = columnThatLeaves(columns, rows, width)
  if (leaves !== null) {
    const without = rows.map((row) => row.toSpliced(leaves, 1))
    return formatTable(columns.toSpliced(leaves, 1), without, width)
  }
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)))
  const titles = columns.map(({ title }) => ({ text: title }))
  const widths = fitWidths(columns, [titles, ...cells], width)
  return [titles, ...cells].map((row) => formatRow(row, widths, width))
}

function columnThatLeaves(columns: Column[], rows: (string | Cell)[][], width: number): number | null {
  const least = columns.map(({ title, least }, index) => {
    const texts = rows
      .map((row) => row[index] ?? '')
      .map((cell) => (typeof cell === 'string' ? cell : cell.text))
    const widest = Math.max(displayWidth(title), ...texts.map(displayWidth))
    return least === undefined ? widest : Math.min(widest, Math.max(least, title.length))
  })
  if (least.reduce((sum, each) => sum + each + GAP, -GAP) <= width) return null
  const [first] = columns
    .flatMap(({ drop }, index) => (drop ? [{ drop, index }] : []))
    .sort((a, b) => b.drop - a.drop)
  return first?.index ?? null
}

function formatRow(row: Cell[], widths: number[], width: number): string {
  let line = ''
  let left = width
  for (const [index, cell] of row.entries()) {
    const isLast = index === row.length - 1
    const room = Math.min(widths[index] ?? 0, left)
    if (room <= 0) break
    const text = truncate(cell.text, room)
    line += cell.paint && text !== '' ? cell.paint(text) : text
    if (!isLast) line += ' '.repeat(Math.max(0, Math.min(room - displayWidth(text) + GAP, left)))
    left -= room + GAP
  }
  return line.trimEnd()
}

function fitWidths(columns: Column[], rows: Cell[][], width: number): number[] {
  const widths = columns.map((_, index) =>
    Math.max(...rows.map((row) => displayWidth(row[index]?.text ?? ''))),
  )
  let excess = widths.reduce((sum, each) => sum + each + GAP, -GAP) - width
  while (excess > 0) {
    const widest = widestThatShrinks(columns, widths)
    if (widest === null) break
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  return widths
}

function widestThatShrinks(columns: Column[], widths: number[]): number | null {
  let found: number | null = null
  for (const [index, { least, title }] of columns.entries()) {
    const current = widths[index] ?? 0
    if (least === undefined || current <= Math.max(least, title.length)) continue
    if (found === null || current > (widths[found] ?? 0)) found = index
  }
  return found
}
