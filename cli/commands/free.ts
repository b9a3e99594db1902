import { fail, ok, type Result } from '../../proxy/protocol.ts'
import { confirm } from '../ask.ts'
import type { Client, FreePlan } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { type Io, printJson, printLine, widthOf } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { parsePorts } from '../port-operands.ts'
import { formatOwner } from '../print/failure.ts'
import { formatOwners } from '../print/owners.ts'
import { withProgress } from '../progress.ts'

interface Options {
  yes?: boolean
  dryRun?: boolean
  force?: boolean
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000

export const define = (): Definition => ({
  name: 'free',
  operands: '<port...>',
  summary: 'End whoever listens on a port: SIGTERM, then SIGKILL after 5 s.',
  examples: [
    ['free 3000', 'shows who it is, and asks'],
    ['free 3000 --dry-run', 'only shows'],
    ['free 3000 3001 --yes', 'does not ask'],
  ],
  options: {
    yes: { short: 'y', does: 'do not ask' },
    'dry-run': { does: 'only show what would end' },
    force: { does: 'SIGKILL at once' },
  },
})

export async function run({ options, operands, io }: Call<Options>): Promise<Result<number>> {
  const ports = parsePorts(operands)
  if (!ports.ok) return ports
  const client = await withProgress(io, 'starting devsock', ensureDaemon(io))
  if (!client.ok) return client
  for (const port of ports.value) {
    const freed = await freePort(client.value, port, options, io)
    if (!freed.ok) return freed
  }
  return ok(0)
}

async function freePort(
  client: Client,
  port: number,
  options: Options & { json?: boolean },
  io: Io,
): Promise<Result<null>> {
  const plan = await client.freePlan(port)
  if (!plan.ok) return plan
  if (options.dryRun && options.json) {
    printJson(io.stdout, plan.value)
    return ok(null)
  }
  if (!options.json) printPlan(plan.value, io)
  if (options.dryRun) return ok(null)
  if (plan.value.owners.length > 0 && !options.yes) {
    if (!io.interactive) {
      const who = plan.value.owners.map(formatOwner).join('; ')
      return fail(
        'input-needed',
        `Port ${port} belongs to ${who}; nobody can be asked here.`,
        `devsock free ${port} --yes`,
      )
    }
    if (!(await confirm(io, `End ${plan.value.owners.length === 1 ? 'it' : 'them'}?`, false))) return ok(null)
  }
  if (plan.value.owners.length === 0) {
    if (options.json) printJson(io.stdout, { v: 1, ended: [], ms: 0 })
    return ok(null)
  }
  const freeing = client.free(port, { force: options.force === true, graceMs: GRACE_MS })
  const freed = await withProgress(io, `freeing ${port}`, freeing)
  if (!freed.ok) return freed
  if (options.json) printJson(io.stdout, freed.value)
  else printLine(io.stdout, `${io.paint('green', '✓')} port ${port} is free · ${freed.value.ms} ms`)
  return ok(null)
}

function printPlan({ port, owners }: FreePlan, { stdout, paint }: Io): void {
  if (owners.length === 0) return printLine(stdout, `Nobody listens on ${port}.`)
  printLine(stdout, `Port ${port}:`)
  const [titles = '', ...rows] = formatOwners(owners, widthOf(stdout))
  for (const line of [paint('dim', titles), ...rows]) printLine(stdout, line)
  for (const refused of new Set(owners.map((owner) => owner.refused)))
    if (refused !== null) printLine(stdout, `  ${paint('yellow', '!')} left alone: ${refused}`)
}
