import { ok, type ProjectStatus, type Result, type ServiceStatus } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine, widthOf } from '../io.ts'
import { formatStatus } from '../print/service.ts'
import { findProject, findTargets, locateProject, notUp } from '../project.ts'

export const define = (): Definition => ({
  name: 'status',
  operands: '[service...]',
  summary: 'What runs, and why. Outside of any project: everything that is up.',
  examples: [
    ['status', 'the services of this project'],
    ['status --all', 'of every project'],
    ['status --json', 'one document for programs'],
  ],
})

export async function run({ options, operands, io }: Call): Promise<Result<number>> {
  const status = await new Client(locateFolders(io.env)).status()
  if (!status.ok) return status
  const isInProject = locateProject(options, io).ok || findProject(status.value, options, io) !== null
  const wanted = { ...options, all: options.all || !isInProject }
  const targets = findTargets(status.value, operands, wanted, io)
  // Nothing up is an answer to "what is up?"; a service by name is not.
  if (!targets.ok && (operands.length > 0 || targets.failure.code !== 'not-up')) {
    if (!(operands.length === 0 && targets.failure.code === 'configuration-missing')) return targets
  }
  const projects = byProject(targets.ok ? targets.value : [])
  if (options.json) {
    printJson(io.stdout, { ...status.value, projects })
    return ok(0)
  }
  if (projects.length === 0) {
    const reason = notUp(status.value, wanted, io)
    printLine(
      io.stdout,
      !reason.ok && isInProject ? `${reason.failure.message} ${reason.failure.hint}` : 'Nothing is up.',
    )
  }
  for (const [index, project] of projects.entries()) {
    if (projects.length > 1)
      printLine(io.stdout, `${index > 0 ? '\n' : ''}${io.paint('bold', project.id)}  ${project.dir}`)
    for (const line of formatStatus(project, project.services, widthOf(io.stdout), io.paint))
      printLine(io.stdout, line)
  }
  return ok(0)
}

/** The projects again, with only the services that were asked for. */
function byProject(targets: { project: ProjectStatus; service: ServiceStatus }[]): ProjectStatus[] {
  const projects = new Map<string, ProjectStatus>()
  for (const { project, service } of targets) {
    const known = projects.get(project.id)
    if (known) known.services.push(service)
    else projects.set(project.id, { ...project, services: [service] })
  }
  return [...projects.values()]
}
