// Puts the tables of results.json and, once there has been a whole run, swap-results.json between their markers in
// README.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Row } from './measure.ts'
import { overview, type SwapResults } from './swap/report.ts'
import { table } from './table.ts'

interface Results {
  at: string
  machine: string
  rows: Row[]
}

const README = new URL('../../README.md', import.meta.url)
const at = (name: string): URL => new URL(name, import.meta.url)
const read = (name: string) => JSON.parse(readFileSync(at(name), 'utf8'))

function put(text: string, marker: string, content: string): string {
  const marked = new RegExp(`(<!-- ${marker} -->\n)[\\s\\S]*(<!-- /${marker} -->)`)
  if (!marked.test(text)) throw new Error(`README.md has no <!-- ${marker} --> … <!-- /${marker} -->`)
  return text.replace(marked, (_, start: string, end: string) => `${start}\n${content}\n\n${end}`)
}

const figures: Results = read('results.json')
const swap: SwapResults | null = existsSync(at('swap-results.json')) ? read('swap-results.json') : null
const source = (run: { machine: string; at: string }, command: string) =>
  `${run.machine}, ${run.at}; \`${command}\`.`
let text = readFileSync(README, 'utf8')
text = put(text, 'figures', `${table(figures.rows)}\n\n${source(figures, 'npm run bench')}`)
if (swap !== null) text = put(text, 'swap', `${overview(swap)}\n\n${source(swap, swap.command)}`)
writeFileSync(README, text)
