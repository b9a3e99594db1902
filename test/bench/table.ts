import type { Row } from './measure.ts'

/** Rows of results.json as a Markdown table, which also reads well in a terminal. */
export function table(rows: readonly Row[]): string {
  const cells = [
    ['', 'devsock', 'against', 'ratio', 'goal'],
    ...rows.map(({ what, devsock, against, value, goal, met }) => [
      what,
      devsock,
      against,
      against ? value.toFixed(2) : '',
      `${goal}${met ? '' : ' ✗'}`,
    ]),
  ]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head, ...body] = cells.map(line)
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n')
}
