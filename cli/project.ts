/** Which project and services a command means. Reads file names only, never a configuration. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import {
  fail,
  ok,
  type ProjectStatus,
  type Result,
  type ServiceStatus,
  type StatusDocument,
} from '../proxy/protocol.ts'
import type { GlobalOptions, Io } from './io.ts'
import { formatPath } from './print/paths.ts'
import { suggest } from './print/suggest.ts'

/** A folder with a configuration. `config` is null where the daemon shall find it in `dir`. */
export interface Location {
  dir: string
  config: string | null
}

const NAMES = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `devsock.config.${extension}`)

/** The nearest configuration upward, to the root of the git checkout; `-c` names one instead. */
export function locateProject(options: GlobalOptions, io: Pick<Io, 'cwd'>): Result<Location> {
  if (options.config !== undefined) {
    const path = resolve(io.cwd, options.config)
    if (!existsSync(path)) {
      return fail(
        'configuration-missing',
        `There is no ${formatPath(path)}.`,
        'Name an existing file with -c.',
      )
    }
    // The file may be a symbolic link; the project is where the link is.
    const dir = realpathSync(dirname(path))
    return ok({ dir, config: join(dir, basename(path)) })
  }
  const start = realpathSync(io.cwd)
  let folder = start
  for (;;) {
    if (isShared(folder) && folder !== start) break
    if (hasConfiguration(folder)) return ok({ dir: folder, config: null })
    if (existsSync(join(folder, '.git')) || dirname(folder) === folder) break
    folder = dirname(folder)
  }
  return fail(
    'configuration-missing',
    `No configuration in ${formatPath(io.cwd)} or above it.`,
    "devsock init --yes    or write devsock.config.ts:  export default { services: { web: 'npm run dev' } }",
  )
}

function hasConfiguration(folder: string): boolean {
  if (NAMES.some((name) => existsSync(join(folder, name)))) return true
  const path = join(folder, 'package.json')
  if (!existsSync(path)) return false
  const text = readFileSync(path, 'utf8')
  // Parsing takes longer than all the rest on a large one, and nearly none has the word.
  if (!text.includes('"devsock"')) return false
  try {
    const { devsock } = JSON.parse(text) as { devsock?: unknown }
    return typeof devsock === 'object' && devsock !== null
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    // Broken right now, but it reads like one: the daemon says what is wrong with it.
    return /"devsock"\s*:\s*\{/.test(text)
  }
}

/** Sticky and writable for all, as /tmp is: what lies there is not this person's, so only right there it counts. */
const isShared = (folder: string): boolean => (statSync(folder).mode & 0o1002) === 0o1002

/** This folder's project among those that are up. Null: it is not up, or there is none. */
export function findProject(
  status: StatusDocument,
  options: GlobalOptions,
  io: Pick<Io, 'cwd'>,
): ProjectStatus | null {
  const location = locateProject(options, io)
  if (location.ok) {
    const { dir, config } = location.value
    return (
      status.projects.find((each) => each.dir === dir && (config === null || each.config === config)) ?? null
    )
  }
  // Its configuration may just have been moved away; what runs still has a folder.
  for (let folder = realpathSync(io.cwd); ; folder = dirname(folder)) {
    const found = status.projects.find(({ dir }) => dir === folder)
    if (found) return found
    if (dirname(folder) === folder) return null
  }
}

export interface Target {
  project: ProjectStatus
  service: ServiceStatus
}

/**
 * The services that the operands name: `service` of this project, `project/service` of another. None: all of
 * this project, or of every project with --all. `not-up` and `unknown-service` say what there is instead.
 */
export function findTargets(
  status: StatusDocument,
  names: string[],
  options: GlobalOptions,
  io: Pick<Io, 'cwd'>,
): Result<Target[]> {
  const here = findProject(status, options, io)
  if (names.length === 0) {
    const projects = options.all ? status.projects : here ? [here] : []
    if (projects.length === 0) return notUp(status, options, io)
    return ok(projects.flatMap((project) => project.services.map((service) => ({ project, service }))))
  }
  const targets: Target[] = []
  for (const name of names) {
    const found = findTarget(status, name, here, () => notUp(status, options, io))
    if (!found.ok) return found
    targets.push(found.value)
  }
  return ok(targets)
}

function findTarget(
  status: StatusDocument,
  name: string,
  here: ProjectStatus | null,
  notHere: () => Result<never>,
): Result<Target> {
  const slash = name.lastIndexOf('/')
  const id = name.slice(0, slash)
  const project = slash > 0 ? status.projects.find((each) => each.id === id) : here
  if (!project) {
    return slash > 0 ? fail('unknown-project', `${id} is not up.`, upProjects(status)) : notHere()
  }
  const wanted = name.slice(slash + 1)
  const service = project.services.find((each) => each.name === wanted)
  if (service) return ok({ project, service })
  const names = project.services.map((each) => each.name)
  const similar = suggest(wanted, names)
  const hint = similar ? `Did you mean ${similar}?` : `Its services: ${names.join(', ') || 'none'}.`
  return fail('unknown-service', `${project.id} has no service ${wanted}.`, hint)
}

/** The failure for a command that needs this folder's project up. */
export function notUp(status: StatusDocument, options: GlobalOptions, io: Pick<Io, 'cwd'>): Result<never> {
  const location = locateProject(options, io)
  if (!location.ok && status.projects.length === 0) return location
  const what = location.ok
    ? `${basename(location.value.dir)} is not up.`
    : `No project in ${formatPath(io.cwd)}.`
  return fail('not-up', what, location.ok ? 'devsock up' : upProjects(status))
}

const upProjects = ({ projects }: StatusDocument): string =>
  projects.length === 0 ? 'Nothing is up.' : `Up now: ${projects.map(({ id }) => id).join(', ')}.`
