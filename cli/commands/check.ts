import { fail, ok, type Result } from '../../proxy/protocol.ts'
import type { Call, Definition } from '../command.ts'
import { definedVariables } from '../environment.ts'
import { printJson, printLine } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { formatPath } from '../print/paths.ts'
import { plural } from '../print/units.ts'
import { locateProject } from '../project.ts'

interface Options {
  print?: boolean
}

export const define = (): Definition => ({
  name: 'check',
  operands: '',
  summary: 'Validate the configuration: every problem at once, with its place.',
  examples: [
    ['check', 'exit code 2 when something is wrong'],
    ['check --print', 'as devsock would run it, all defaults filled in'],
  ],
  options: {
    print: { does: 'the resolved configuration, as JSON' },
  },
})

export async function run({ options, io }: Call<Options>): Promise<Result<number>> {
  const location = locateProject(options, io)
  if (!location.ok) return location
  const client = await ensureDaemon(io)
  if (!client.ok) return client
  const checked = await client.value.check({ ...location.value, env: definedVariables(io.env) })
  if (!checked.ok) return checked
  const { problems, project } = checked.value
  if (problems.length > 0 || project === null) {
    const what = problems.length > 0 ? plural(problems.length, 'problem') : 'no project'
    return fail('configuration-invalid', `The configuration has ${what}.`, null, { problems })
  }
  if (options.json) printJson(io.stdout, checked.value)
  else if (options.print) printLine(io.stdout, JSON.stringify(project, null, 2))
  else {
    const name = formatPath(project.config, io.cwd)
    printLine(io.stdout, `${io.paint('green', '✓')} ${name}: ${plural(project.services.length, 'service')}`)
  }
  return ok(0)
}
