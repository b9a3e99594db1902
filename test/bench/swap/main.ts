import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { installPackages } from '../../integration/servers/packages.ts'
import { machine } from '../machine.ts'
import { median } from '../measure.ts'
import { grid } from '../table.ts'
import { express, others } from './apps.ts'
import { devsock, peers, plain } from './contenders.ts'
import { figures } from './figures.ts'
import { goals } from './goals.ts'
import { loads } from './loads.ts'
import type { Recording } from './recording.ts'
import { type CellResult, details, overview } from './report.ts'
import { boot, type Cell, label, RATE, run, SAVE_EVERY } from './run.ts'

const HELP = `npm run bench:swap -- [--seconds N] [--rounds N] [--only REGEXP] [--list]

What clients notice of a save: ${RATE} requests a second, each sent at its time whether or not the ones before were
answered, while the server's file is saved every ${SAVE_EVERY / 1000} s. devsock beside what else restarts on save,
in one run, in turns. Latency counts from when a request was to be sent. After each save another client asks, one
connection after the other, until the new code answers.

  --seconds N     of load for each row, over all rounds (30)
  --rounds N      how often the turns go around (3)
  --only REGEXP   only rows whose label matches; a look, not a result: nothing is written
  --list          the labels

About an hour. Peers need libserver-starter-perl; everything else is in test/integration/servers.
`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const apps = [express(false), express(true)]
const node = loads.flatMap((load) =>
  apps.flatMap((app) => [devsock, plain, ...peers].map((contender): Cell => ({ contender, app, load }))),
)
const rest = others.flatMap((app) =>
  loads.slice(0, 2).map((load): Cell => ({ contender: devsock, app, load })),
)
const only = new RegExp(values.only ?? '')
const cells = [...node, ...rest].filter((cell) => only.test(label(cell)))

if (values.help) process.stdout.write(HELP)
else if (values.list) for (const cell of cells) console.log(label(cell))
else await bench()

async function bench(): Promise<void> {
  const booting = apps.filter((app) => cells.some((cell) => cell.app === app))
  if (booting.length > 0) installPackages()
  const boots: number[] = []
  const recordings = new Map<Cell, Recording[]>(cells.map((cell) => [cell, []]))
  const rounds = Number(values.rounds)
  for (let round = 1; round <= rounds; round += 1) {
    for (const [cell, recorded] of recordings) {
      process.stderr.write(`${round}/${rounds} ${label(cell)}\n`)
      recorded.push(await run(cell, Number(values.seconds) / rounds))
    }
    for (const app of booting) boots.push(await boot(app))
  }
  const results: CellResult[] = [...recordings].map(([{ contender, app, load }, recorded]) => ({
    contender: contender.name,
    app: app.name,
    load,
    ...figures(recorded),
  }))
  const bootMs = boots.length > 0 ? median(boots) : null
  const command = [
    'npm run bench:swap',
    ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : []),
  ].join(' ')
  const at = new Date().toISOString().slice(0, 10)
  const swap = { at, machine, command, bootMs, cells: results, goals: goals(results, bootMs) }
  console.log(details(results))
  console.log(`\n${overview(swap)}`)
  const marks = swap.goals.map(({ what, is, met }) => [what, is, met ? '' : '✗'])
  console.log(`\n${grid([['goal', 'is', ''], ...marks])}`)
  console.log(machine + (bootMs === null ? '' : `; the Express app boots in ${bootMs.toFixed(0)} ms`))
  if (!values.only) {
    const path = new URL('../swap-results.json', import.meta.url)
    await writeFile(path, `${JSON.stringify(swap, null, 2)}\n`)
  }
  if (swap.goals.some(({ met }) => !met)) process.exitCode = 1
}
