/**
 * What runs is a copy of the package's `dist/runtime`, so that `npm ci` in a project never pulls the holder
 * and the daemon away from under everybody. Named by its content: a copy that is there is the right one.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import { packageRoot } from './package.ts'

const YOUNG_MS = 60 * 60_000

export interface Manifest {
  version: string
  hash: string
}

/** What this package would run. */
export function readManifest(source = runtimeSource()): Result<Manifest> {
  const path = join(source, 'manifest.json')
  if (!existsSync(path)) {
    return fail(
      'daemon-failed',
      `This devsock is not built: ${path} is missing.`,
      `npm run build --prefix ${packageRoot()}`,
    )
  }
  return ok(JSON.parse(readFileSync(path, 'utf8')) as Manifest)
}

/** Folder of the copy, made now where it is missing; two that make it at once end up with the same one. */
export function installRuntime(
  stateFolder: string,
  manifest: Manifest,
  source = runtimeSource(),
): Result<string> {
  const versions = join(stateFolder, 'versions')
  const folder = join(versions, `${manifest.version}-${manifest.hash.slice(0, 8)}`)
  if (existsSync(join(folder, 'manifest.json'))) return ok(folder)
  const partial = join(versions, `.partial-${process.pid}-${Date.now()}`)
  try {
    mkdirSync(versions, { recursive: true, mode: 0o700 })
    cpSync(source, partial, { recursive: true, dereference: true })
    renameSync(partial, folder)
    return ok(folder)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // Somebody else renamed theirs first: rename(2) does not replace a folder with something in it.
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && existsSync(join(folder, 'manifest.json')))
      return ok(folder)
    if (code === undefined) throw error
    return fail(
      'daemon-failed',
      `Cannot copy devsock to ${folder}: ${message}.`,
      'Is the disk full, or the folder read-only?',
    )
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/**
 * Removes the copies of other versions. Only for whoever has just started a holder from `kept`: of those that use
 * this state folder there is one. A young copy may be one that another command is about to start, in vain.
 */
export function removeOldRuntimes(stateFolder: string, kept: string): void {
  const versions = join(stateFolder, 'versions')
  for (const name of readdirSync(versions)) {
    const folder = join(versions, name)
    const isYoung = Date.now() - statSync(folder).mtimeMs < YOUNG_MS
    if (folder !== kept && !isYoung) rmSync(folder, { recursive: true, force: true })
  }
}

const runtimeSource = (): string => join(packageRoot(), 'dist', 'runtime')
