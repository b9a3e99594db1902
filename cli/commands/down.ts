import { ok, type ProjectStatus, type Result } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine } from '../io.ts'
import { plural } from '../print/units.ts'
import { withProgress } from '../progress.ts'
import { findProject, notUp } from '../project.ts'

export const define = (): Definition => ({
  name: 'down',
  operands: '',
  summary: "End this project's services and release its ports.",
  examples: [
    ['down', 'this project'],
    ['down --all', 'every project; the daemon leaves with the last one'],
  ],
})

export async function run({ options, io }: Call): Promise<Result<number>> {
  const client = new Client(locateFolders(io.env))
  const status = await client.status()
  if (!status.ok) return status
  const here = findProject(status.value, options, io)
  const projects: ProjectStatus[] = options.all ? status.value.projects : here ? [here] : []
  if (projects.length === 0) {
    if (options.all) {
      printLine(io.stdout, options.json ? '[]' : 'Nothing is up.')
      return ok(0)
    }
    return notUp(status.value, options, io)
  }
  for (const { id } of projects) {
    const down = await withProgress(io, `ending the services of ${id}`, client.down(id))
    if (!down.ok) return down
    const { services, ports } = down.value
    const ended = `${plural(services, 'service')} ended, ${plural(ports, 'port')} released`
    if (options.json) printJson(io.stdout, { project: id, ...down.value })
    else printLine(io.stdout, `${io.paint('green', '✓')} ${id}: ${ended}`)
  }
  return ok(0)
}
