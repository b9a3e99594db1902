import { ok, type Result } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine } from '../io.ts'
import { findProject, findTargets, notUp } from '../project.ts'

export const define = (): Definition => ({
  name: 'env',
  operands: '[service]',
  summary: 'The variables by which a service finds its siblings, as a shell reads them.',
  examples: [
    ['env', 'DEVSOCK_API_URL=http://localhost:3001 …'],
    ['env web', 'as the service web sees them'],
    ['env --json', 'one object'],
  ],
})

export async function run({ options, operands, io }: Call): Promise<Result<number>> {
  const client = new Client(locateFolders(io.env))
  const status = await client.status()
  if (!status.ok) return status
  const [name] = operands
  const targets = name === undefined ? null : findTargets(status.value, [name], options, io)
  if (targets !== null && !targets.ok) return targets
  const target = targets?.value[0]
  const project = target?.project ?? findProject(status.value, options, io)
  if (!project) return notUp(status.value, options, io)
  const variables = await client.env(project.id, target?.service.name)
  if (!variables.ok) return variables
  if (options.json) printJson(io.stdout, variables.value)
  else
    for (const [key, value] of Object.entries(variables.value.env))
      printLine(io.stdout, `${key}=${quote(value)}`)
  return ok(0)
}

/** For sh: as it is where nothing in it means anything, else in single quotes. */
const quote = (value: string): string =>
  /^[\w@%+=:,./-]*$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
