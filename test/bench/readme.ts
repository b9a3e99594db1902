// Puts the table of results.json between the markers of README.md.
import { readFileSync, writeFileSync } from 'node:fs'
import type { Row } from './measure.ts'
import { table } from './table.ts'

interface Results {
  at: string
  machine: string
  rows: Row[]
}

const { at, machine, rows }: Results = JSON.parse(
  readFileSync(new URL('results.json', import.meta.url), 'utf8'),
)
const readme = new URL('../../README.md', import.meta.url)
const MARKED = /(<!-- figures -->\n)[\s\S]*(<!-- \/figures -->)/
const text = readFileSync(readme, 'utf8')
if (!MARKED.test(text)) throw new Error('README.md has no <!-- figures --> … <!-- /figures -->')
writeFileSync(
  readme,
  text.replace(MARKED, `$1\n${table(rows)}\n\n${machine}, ${at}; \`npm run bench\`.\n\n$2`),
)
