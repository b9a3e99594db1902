import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename } from 'node:path'
import type { PortOwner } from '../protocol.ts'

/** What identifies a process beyond its number, which the kernel gives out again. */
export interface ProcessStat {
  parent: number
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc_pid_stat(5)). */
  started: number
}

/** null when there is no such process, or only its zombie. */
export async function processStat(pid: number): Promise<ProcessStat | null> {
  const text = await readProc(pid, 'stat')
  if (text === null) return null
  // The name in parentheses may hold spaces and parentheses itself: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return null
  return { parent: Number(fields[1]), started: Number(fields[19]) }
}

/** Real user id; null when the process has gone. */
export async function processUser(pid: number): Promise<number | null> {
  const uid = /^Uid:\s+(\d+)/m.exec((await readProc(pid, 'status')) ?? '')?.[1]
  return uid === undefined ? null : Number(uid)
}

/** Its command line in one line, `[name]` where it has none; '' when it has gone. */
export async function processCommand(pid: number): Promise<string> {
  const words = ((await readProc(pid, 'cmdline')) ?? '').split('\0')
  // A command line may hold any byte but NUL, and is printed.
  const line = words
    .join(' ')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
  if (line !== '') return line
  const name = (await readProc(pid, 'comm'))?.trim()
  return name ? `[${name}]` : ''
}

/** /proc/PID/cgroup, '' when it has gone. */
export async function processCgroup(pid: number | 'self'): Promise<string> {
  return (await readProc(pid, 'cgroup')) ?? ''
}

/** Parents of a process up to init, nearest first. */
export async function ancestorsOf(pid: number): Promise<number[]> {
  const found: number[] = []
  let stat = await processStat(pid)
  while (stat && stat.parent > 0 && !found.includes(stat.parent)) {
    found.push(stat.parent)
    stat = await processStat(stat.parent)
  }
  return found
}

/** uid → name from /etc/passwd; who is not there goes by number. */
export async function userNames(): Promise<(uid: number) => string> {
  const names = new Map<number, string>()
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [name, , uid] = line.split(':')
    if (name && uid && !names.has(Number(uid))) names.set(Number(uid), name)
  }
  return (uid) => names.get(uid) ?? String(uid)
}

/** `node server.js (pid 4242, ~/shop, alice)` */
export function describeOwner(owner: PortOwner): string {
  if (owner.pid === 0) return `a process of ${owner.user} that cannot be seen from here`
  const where = owner.cwd === null ? [] : [shortPath(owner.cwd)]
  return `${shortCommand(owner.command)} (${[`pid ${owner.pid}`, ...where, owner.user].join(', ')})`
}

const COMMAND_WIDTH = 60

/** The program by its own name, not its path, and no longer than a line bears. */
function shortCommand(command: string): string {
  const [program = '', ...rest] = command.split(' ')
  const line = [program.startsWith('/') ? basename(program) : program, ...rest].join(' ')
  return line.length > COMMAND_WIDTH ? `${line.slice(0, COMMAND_WIDTH - 1)}…` : line
}

function shortPath(path: string): string {
  const home = homedir()
  return path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}

/** A process may go between any two reads, and another user's may be hidden (hidepid): both read as nothing. */
async function readProc(pid: number | 'self', name: string): Promise<string | null> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8')
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/** Errors of /proc that say no more than that a process has gone or is another user's. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM'
}
