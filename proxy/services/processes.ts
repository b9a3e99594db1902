import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { uptime } from 'node:os'

/** Clock ticks a second: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100

/** When a process started, from field 22 of /proc/PID/stat, in ms since the epoch: exact to one tick. */
export function processStartedAt(startTime: number): { earliest: number; latest: number } {
  // In hundredths of a second as well (/proc/uptime); in whole ones where no descriptor is free to read it with.
  const bootedAt = Date.now() - uptime() * 1000
  const earliest = bootedAt + (startTime * 1000) / TICKS
  return { earliest, latest: earliest + 1000 / TICKS }
}

/** SS_CONNECTED (linux/net.h), as /proc/net/unix prints it. */
const UNIX_CONNECTED = '03'

export interface Member {
  pid: number
  /** Process group. */
  group: number
  /** Resident pages. */
  pages: number
  /** Processor time so far, in user and kernel mode, in ms. */
  cpuMs: number
}

/** Every process of this machine, by one walk over /proc. Processes that go meanwhile are left out. */
export function allProcesses(): Member[] {
  const found: Member[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = readOrNull(`/proc/${pid}/stat`)
    if (stat === null) continue
    const fields = fieldsOf(stat)
    const cpuMs = ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS
    found.push({ pid, group: Number(fields[2]), pages: Number(fields[21]), cpuMs })
  }
  return found
}

/** Whether its first thread, which is Node's event loop, has something to do: what wakes a thread makes it run (R). */
export const isRunning = (pid: number): boolean => {
  const stat = readOrNull(`/proc/${pid}/stat`)
  return stat !== null && fieldsOf(stat)[0] === 'R'
}

/** Those from the third on, its state (proc_pid_stat(5)): the second, its name, may hold spaces and parentheses. */
const fieldsOf = (stat: string): string[] => stat.slice(stat.lastIndexOf(')') + 2).split(' ')

/** Inodes of the sockets that a process has open; empty where it has gone or may not be looked at. */
export function socketInodes(pid: number): number[] {
  const inodes: number[] = []
  for (const fd of listOrEmpty(`/proc/${pid}/fd`)) {
    const target = linkOrNull(`/proc/${pid}/fd/${fd}`)
    const inode = target === null ? null : /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode) inodes.push(Number(inode))
  }
  return inodes
}

/**
 * Inodes of the connected stream sockets that were accepted at one of these paths (/proc/net/unix, unix(7)): an
 * accepted socket has its listener's name, as that was bound.
 */
export function unixConnections(paths: ReadonlySet<string>): number[] {
  const inodes: number[] = []
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const row = /^\S+: \S+ \S+ \S+ \S+ (\S+) +(\d+) (.+)$/.exec(line)
    if (row?.[1] === UNIX_CONNECTED && paths.has(row[3] ?? '')) inodes.push(Number(row[2]))
  }
  return inodes
}

const readOrNull = (path: string): string | null => unlessGone(() => readFileSync(path, 'utf8'))
const linkOrNull = (path: string): string | null => unlessGone(() => readlinkSync(path))
const listOrEmpty = (path: string): string[] => unlessGone(() => readdirSync(path)) ?? []

/** Null where the process has gone, or may not be looked at. */
export function unlessGone<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    // ESRCH and ENOENT: it has gone. EACCES: another user's, or one that may not be dumped.
    if (/^(ESRCH|ENOENT|EACCES|EPERM)$/.test((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
