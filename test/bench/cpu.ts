import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** USER_HZ, the unit of proc_pid_stat(5): 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100

/** Percent of a core that these processes take together, over so many seconds. */
export async function cpuOf(pids: readonly number[], seconds: number): Promise<number> {
  const before = await ticksOf(pids)
  await pause(seconds * 1000)
  return (100 * ((await ticksOf(pids)) - before)) / TICKS_A_SECOND / seconds
}

async function ticksOf(pids: readonly number[]): Promise<number> {
  let sum = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    sum += Number(fields[11]) + Number(fields[12])
  }
  return sum
}
