import type { Row } from './measure.ts'

/** Rows of results.json as a Markdown table, which also reads well in a terminal. */
export function table(rows: readonly Row[]): string {
  return grid([
    ['', 'devsock', 'against', 'ratio', 'goal'],
    ...rows.map(({ what, devsock, against, value, goal, met }) => [
      what,
      devsock,
      against,
      against ? value.toFixed(2) : '',
      `${goal}${met ? '' : ' ✗'}`,
    ]),
  ])
}

/** A Markdown table, its columns as wide as they have to be. The first row is its head. */
export function grid([head = [], ...body]: readonly string[][]): string {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...body].map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}
