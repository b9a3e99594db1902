import { reportCollisions } from './collisions.ts'
import { envProblems } from './environment.ts'
import { identityOf } from './identity.ts'
import type { FullConfig } from './merge.ts'
import { NAME_HINT, nameProblem } from './names.ts'
import type { Complaint, Report } from './problems.ts'
import { resolveService } from './service.ts'
import type { ResolvedProject } from './types.ts'

export interface ResolveOptions {
  /** Folder of the configuration, without symbolic links. */
  dir: string
  /** The configuration's file. */
  config: string
  /** Other files that the configuration was made of. */
  files: readonly string[]
  /** Environment of the latest `up`. */
  env: Readonly<Record<string, string>>
}

export type Resolved = { ok: true; project: ResolvedProject } | { ok: false; complaints: Complaint[] }

/** Fills in defaults and looks at all that a shape cannot say: folders, ports, names, what belongs together. */
export async function resolveProject(written: FullConfig, options: ResolveOptions): Promise<Resolved> {
  const { dir, config, env } = options
  const complaints: Complaint[] = []
  const report: Report = (complaint) => void complaints.push(complaint)

  const problem = written.name === undefined ? null : nameProblem(written.name)
  if (problem !== null) report({ path: ['name'], message: problem, hint: NAME_HINT })
  const names = Object.keys(written.services)
  if (names.length === 0) {
    report({
      path: ['services'],
      message: 'there is no service',
      hint: "write one: services: { web: 'npm run dev' }",
    })
  }

  const services = []
  const files = new Set([config, ...options.files])
  for (const [name, service] of Object.entries(written.services)) {
    const wrong = nameProblem(name)
    if (wrong !== null) report({ path: ['services', name], message: wrong, hint: NAME_HINT, at: 'key' })
    const resolved = await resolveService(name, service, options, report)
    if (!resolved || wrong !== null) continue
    services.push(resolved.service)
    for (const file of resolved.files) files.add(file)
  }
  const identity = await identityOf(dir, written.name)
  const project: ResolvedProject = { ...identity, dir, config, files: [...files], services }

  reportCollisions(services, report)
  // A reference to a service that is itself wrong would be reported twice over.
  if (services.length === names.length) {
    for (const { service, name, message, hint } of envProblems(project, env)) {
      report({ path: ['services', service, 'env', name], message, hint })
    }
  }
  return complaints.length === 0 ? { ok: true, project } : { ok: false, complaints }
}
