import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { logFolder, projectFolder } from './log-file.ts'

/** Generations of a service whose logs there are, oldest first. */
export function loggedGenerations(logs: string, project: string, service: string): number[] {
  const numbers = filesOf(logFolder(logs, project, service)).map((name) => /^(\d+)\.log$/.exec(name)?.[1])
  return numbers
    .filter((number) => number !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}

/** Deletes the logs of all but the last `keep` generations of a service, and none of one that still runs. */
export function retain(
  logs: string,
  project: string,
  service: string,
  running: ReadonlySet<number>,
  keep = 10,
): void {
  const kept = new Set(loggedGenerations(logs, project, service).slice(-keep))
  const folder = logFolder(logs, project, service)
  for (const name of filesOf(folder)) {
    const generation = /^(\d+)\.(?:log|idx)$/.exec(name)?.[1]
    if (generation === undefined || kept.has(Number(generation)) || running.has(Number(generation))) continue
    rmSync(join(folder, name), { force: true })
  }
}

/**
 * Puts the logs of a project's last run aside, in place of those of the run before: generations are numbered from 1
 * again, and would write on in the files of others.
 */
export function setAside(logs: string, project: string): void {
  const folder = projectFolder(logs, project)
  if (!existsSync(folder)) return
  const aside = `${folder}~`
  rmSync(aside, { recursive: true, force: true })
  renameSync(folder, aside)
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
