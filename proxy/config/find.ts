import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fail, ok, type Result } from '../protocol.ts'
import { parseJson } from './json.ts'

const EXTENSIONS = ['ts', 'mts', 'js', 'mjs', 'json']
const CONFIG_NAMES = EXTENSIONS.map((extension) => `devsock.config.${extension}`)
export const LOCAL_NAMES = EXTENSIONS.map((extension) => `devsock.local.${extension}`)

/** The files that make a configuration. */
export interface Found {
  /** The project's folder, without symbolic links. */
  dir: string
  file: string
  /** `devsock.local.*` beside it. */
  local: string | null
}

/**
 * The configuration for a command in `dir`: the one named, else the nearest upward to the git root. Folders
 * that others may put files in, such as /tmp, are looked at only if the command runs right there.
 */
export async function findConfiguration(dir: string, named: string | null): Promise<Result<Found>> {
  if (named !== null) return namedConfiguration(resolve(dir, named))
  const start = await realFolder(dir)
  if (start === null) return fail('configuration-missing', `there is no folder ${dir}`)
  for (let folder = start; ; folder = dirname(folder)) {
    if (folder !== start && (await isShared(folder))) break
    const names = await configurationsIn(folder)
    const [first, second] = names
    if (first !== undefined && second !== undefined) {
      return fail(
        'configuration-invalid',
        `${folder} has two configurations, ${first} and ${second}`,
        'remove one of them, or name one with --config',
      )
    }
    if (first !== undefined) return withLocal(folder, join(folder, first))
    if (dirname(folder) === folder || (await exists(join(folder, '.git')))) break
  }
  return fail(
    'configuration-missing',
    `no devsock.config.ts in ${start} or above it`,
    'run `devsock init` to write one, or name one with --config',
  )
}

async function namedConfiguration(path: string): Promise<Result<Found>> {
  const dir = await realFolder(dirname(path))
  const file = dir === null ? null : join(dir, basename(path))
  if (dir === null || file === null || !(await isFile(file))) {
    return fail('configuration-missing', `there is no configuration ${path}`, 'check what --config names')
  }
  if (!EXTENSIONS.includes(extname(file).slice(1))) {
    return fail(
      'configuration-invalid',
      `${path} is no configuration`,
      `it must end in .${EXTENSIONS.join(', .')}`,
    )
  }
  return withLocal(dir, file)
}

async function withLocal(dir: string, file: string): Promise<Result<Found>> {
  const present = await filesOf(dir, LOCAL_NAMES)
  const [first, second] = present
  if (first !== undefined && second !== undefined) {
    return fail('configuration-invalid', `${dir} has both ${first} and ${second}`, 'remove one of them')
  }
  return ok({ dir, file, local: first === undefined ? null : join(dir, first) })
}

async function configurationsIn(folder: string): Promise<string[]> {
  const found = await filesOf(folder, CONFIG_NAMES)
  const manifest = await readFile(join(folder, 'package.json'), 'utf8').catch(absent)
  return manifest !== null && holdsConfiguration(manifest) ? [...found, 'package.json'] : found
}

/** A package.json that is broken right now still is the configuration if it reads like one: its flaw is reported. */
function holdsConfiguration(manifest: string): boolean {
  const parsed = parseJson(manifest)
  if (!parsed.ok) return /"devsock"\s*:\s*\{/.test(manifest)
  const { value } = parsed
  if (typeof value !== 'object' || value === null || !('devsock' in value)) return false
  return typeof value.devsock === 'object' && value.devsock !== null
}

async function filesOf(folder: string, names: string[]): Promise<string[]> {
  const there = await Promise.all(names.map((name) => isFile(join(folder, name))))
  return names.filter((_, index) => there[index])
}

/** A sticky folder is one where everybody may create files (sticky(7)). */
async function isShared(folder: string): Promise<boolean> {
  const info = await stat(folder).catch(absent)
  return info !== null && (info.mode & 0o1002) === 0o1002
}

async function realFolder(dir: string): Promise<string | null> {
  return realpath(resolve(dir)).catch(absent)
}

export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(absent))?.isFile() ?? false
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(absent)) !== null
}

/** For `catch`: what cannot be there, or cannot be looked at, is not there. */
export function absent(error: NodeJS.ErrnoException): null {
  if (/^(ENOENT|ENOTDIR|EACCES|ELOOP|ENAMETOOLONG)$/.test(error.code ?? '')) return null
  throw error
}
