/** The limits of the shell that a person typed `devsock up` in: what the servers would have had there. */
import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import type { UpRequest } from '../proxy/protocol.ts'

/** Where /proc is; a test brings its own. */
export interface Proc {
  read(path: string): string | null
  readLink(path: string): string | null
}

/**
 * Node raises its own RLIMIT_NOFILE at start, and a child of Node (npm, this) inherits that. So the shell is
 * asked: the session leader, or else the nearest parent that is no Node. Null where there is no /proc.
 */
export function shellLimits(proc: Proc = systemProc): UpRequest['limits'] {
  // umask() without an argument is only unsafe beside threads that make files; here is none yet.
  return { nofile: shellNofile(proc), umask: process.umask() }
}

function shellNofile(proc: Proc): [soft: number, hard: number] | null {
  const self = readStat(proc, 'self')
  if (self === null) return null
  if (!isNode(proc, self.session)) {
    const limits = readNofile(proc, self.session)
    if (limits !== null) return limits
  }
  for (let pid = self.parent; pid > 0; ) {
    if (!isNode(proc, pid)) return readNofile(proc, pid)
    pid = readStat(proc, String(pid))?.parent ?? 0
  }
  return null
}

/** Fields 4 and 6 of proc_pid_stat(5); the name before them may hold spaces and parentheses. */
function readStat(proc: Proc, pid: string): { parent: number; session: number } | null {
  const text = proc.read(`/proc/${pid}/stat`)
  if (text === null) return null
  const [, parent, , session] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(parent), session: Number(session) }
}

function readNofile(proc: Proc, pid: number): [soft: number, hard: number] | null {
  const line = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(
    proc.read(`/proc/${pid}/limits`) ?? '',
  )
  const [soft, hard] = [line?.[1], line?.[2]].map((text) =>
    text === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(text),
  )
  return soft === undefined || hard === undefined || Number.isNaN(soft + hard) ? null : [soft, hard]
}

const isNode = (proc: Proc, pid: number): boolean =>
  /^node(js)?$/.test(basename((proc.readLink(`/proc/${pid}/exe`) ?? '').replace(/ \(deleted\)$/, '')))

/** What cannot be read is not there: a process that went, another user's, a machine without /proc. */
const systemProc: Proc = {
  read: (path) => orNull(() => readFileSync(path, 'utf8')),
  readLink: (path) => orNull(() => readlinkSync(path)),
}

function orNull(read: () => string): string | null {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return null
  }
}
