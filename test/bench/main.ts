/**
 * Measures what devsock promises, each thing beside what it is measured against, and writes results.json
 * and a table. `npm run bench`, or `npm run bench -- status` for one of them; about ten minutes.
 */
import { writeFile } from 'node:fs/promises'
import { adoption } from './adoption.ts'
import { coldStart } from './cold-start.ts'
import { machine } from './machine.ts'
import { manySockets } from './many-sockets.ts'
import { manySwaps } from './many-swaps.ts'
import type { Row } from './measure.ts'
import { recovery } from './recovery.ts'
import { screens } from './screens.ts'
import { status } from './status.ts'
import { table } from './table.ts'
import { throughput } from './throughput.ts'

const benches = {
  'cold-start': coldStart,
  adoption,
  throughput,
  'many-sockets': manySockets,
  'many-swaps': manySwaps,
  recovery,
  status,
  screens,
}

const wanted = process.argv.slice(2)
const rows: Row[] = []
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  rows.push(...(await bench()))
}
console.log(table(rows))
console.log(machine)
// One bench alone is a look, not a result.
if (wanted.length === 0) {
  const results = { at: new Date().toISOString().slice(0, 10), machine, rows }
  await writeFile(new URL('results.json', import.meta.url), `${JSON.stringify(results, null, 2)}\n`)
}
if (rows.some(({ met }) => !met)) process.exitCode = 1
