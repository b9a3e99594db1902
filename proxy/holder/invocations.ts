import { readdir, readFile } from 'node:fs/promises'

/** A process that leads a session, as every generation does. `startTime`: clock ticks since boot. */
export interface Leader {
  pid: number
  startTime: number
}

/**
 * The session leaders of this user that carry a DEVSOCK_INVOCATION, by it: generations of whichever holder.
 * Finds what a holder started just before it died and had told nobody of. Empty where there is no /proc.
 */
export async function runningInvocations(): Promise<Map<string, Leader>> {
  const found = new Map<string, Leader>()
  const entries = await readdir('/proc').catch(() => [])
  for (const pid of entries.filter((entry) => /^\d+$/.test(entry))) {
    const leader = await sessionLeader(Number(pid))
    const invocation = leader && (await invocationOf(leader.pid))
    if (invocation) found.set(invocation, leader)
  }
  return found
}

/** DEVSOCK_INVOCATION in the environment that a process was started with; null without one, or when it has gone. */
async function invocationOf(pid: number): Promise<string | null> {
  const environ = await readOrNull(`/proc/${pid}/environ`)
  const entry = environ?.split('\0').find((variable) => variable.startsWith('DEVSOCK_INVOCATION='))
  return entry?.slice('DEVSOCK_INVOCATION='.length) ?? null
}

async function sessionLeader(pid: number): Promise<Leader | null> {
  const stat = await readOrNull(`/proc/${pid}/stat`)
  // The name, in parentheses, may hold anything, a `)` too (proc_pid_stat(5)); what follows starts at field 3.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  const [state, session, startTime] = [fields[0], Number(fields[3]), Number(fields[19])]
  return state !== 'Z' && session === pid && Number.isSafeInteger(startTime) ? { pid, startTime } : null
}

/** Processes end while one reads, and those of others may not be read. */
const readOrNull = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null)
