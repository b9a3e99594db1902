// Puts the tables of test-results/servers-*.json, which a run of these tests leaves, between the markers of README.md.
import { readFileSync, writeFileSync } from 'node:fs'
import type { Row } from './matrix.ts'

const MARKED = /(<!-- servers -->\n)[\s\S]*(<!-- \/servers -->)/
const root = new URL('../../../', import.meta.url)
const rows = ['node', 'python', 'others', 'daemons'].flatMap((title): Row[] =>
  JSON.parse(readFileSync(new URL(`test-results/servers-${title}.json`, root), 'utf8')),
)
const lines = [
  '| server | version | handover | cold | swap | notes |',
  '|---|---|---|---:|---:|---|',
  ...rows.map((row) => {
    const { server, version, handover, notes } = row
    return `| ${server} | ${version} | ${handover} | ${row['cold ms']} | ${row['swap ms']} | ${notes} |`
  }),
]
const readme = new URL('README.md', root)
const text = readFileSync(readme, 'utf8')
if (!MARKED.test(text)) throw new Error('README.md has no <!-- servers --> … <!-- /servers -->')
writeFileSync(readme, text.replace(MARKED, `$1${lines.join('\n')}\n$2`))
