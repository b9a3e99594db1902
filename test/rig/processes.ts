import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { eventually } from './eventually.ts'

export interface Process {
  pid: number
  command: string
}

/** ENOENT and ESRCH: the process went while its files were read. EACCES: another user's. */
const GONE = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])
const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '')

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (GONE.has(codeOf(error))) return ''
    throw error
  }
}

/** Living processes whose initial environment holds one of `entries` (`NAME=value`). Zombies have none. */
export async function processesWith(entries: string[]): Promise<Process[]> {
  const found: Process[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const environment = await read(`/proc/${name}/environ`)
    // An environment ends in NUL, so a whole entry is always followed by one.
    if (!entries.some((entry) => `\0${environment}`.includes(`\0${entry}\0`))) continue
    const command = (await read(`/proc/${name}/cmdline`)).replaceAll('\0', ' ').trim()
    found.push({ pid: Number(name), command })
  }
  return found
}

/** `R`, `S`, `T` … of proc_pid_stat(5). */
export const stateOf = (pid: number): string | undefined =>
  /^\d+ \(.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]

/** Sends a signal to a process, or with a negative pid to a group; false when nobody is there. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false
    throw error
  }
}

/** SIGKILL until none is left: a holder that is shot may leave a daemon that starts the next one. */
export async function killAll(entries: string[], deadline = 5000): Promise<void> {
  const none = async () => {
    const living = await processesWith(entries)
    for (const { pid } of living) signal(pid, 'SIGKILL')
    return living.length === 0
  }
  await eventually(none, { deadline, what: 'the end of every process of the rig' })
}
