import { readdir, readFile } from 'node:fs/promises'

/** A process that leads a session, as every generation does. `startTime`: clock ticks since boot. */
export interface Leader {
  pid: number
  startTime: number
  invocation: string
  /** NOTIFY_SOCKET of its environment. */
  notifyPath: string | null
}

/**
 * The session leaders of this user that carry a DEVSOCK_INVOCATION, by it: generations of whichever holder.
 * Finds what a holder started just before it died and had told nobody of. Empty where there is no /proc.
 */
export async function runningInvocations(): Promise<Map<string, Leader>> {
  const found = new Map<string, Leader>()
  const entries = await readdir('/proc').catch(() => [])
  for (const entry of entries.filter((name) => /^\d+$/.test(name))) {
    const pid = Number(entry)
    const startTime = await sessionLeaderSince(pid)
    if (startTime === null) continue
    const environ = (await readOrNull(`/proc/${pid}/environ`))?.split('\0') ?? []
    const variable = (name: string): string | null =>
      environ.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1) ?? null
    const invocation = variable('DEVSOCK_INVOCATION')
    if (invocation)
      found.set(invocation, { pid, startTime, invocation, notifyPath: variable('NOTIFY_SOCKET') })
  }
  return found
}

/** When it started; null for what leads no session, or has ended. */
async function sessionLeaderSince(pid: number): Promise<number | null> {
  const stat = await readOrNull(`/proc/${pid}/stat`)
  // The name, in parentheses, may hold anything, a `)` too (proc_pid_stat(5)); what follows starts at field 3.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  const [state, session, startTime] = [fields[0], Number(fields[3]), Number(fields[19])]
  return state !== 'Z' && session === pid && Number.isSafeInteger(startTime) ? startTime : null
}

/** Processes end while one reads, and those of others may not be read. */
const readOrNull = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null)
