import { readFile } from 'node:fs/promises'
import type { Rig } from './rig.ts'

/** The process that waits; not those that have gone on. */
export async function waiting(rig: Rig): Promise<number> {
  return rig.eventually(async () => (await waitingNow(rig))[0], { what: 'a process that stands by' })
}

export async function waitingNow(rig: Rig): Promise<number[]> {
  const pids = (await rig.processes()).map(({ pid }) => pid)
  const blocked = await Promise.all(pids.map(async (pid) => ((await isWaiting(pid)) ? [pid] : [])))
  return blocked.flat()
}

/** It was started to wait, and is in read(2) of the holder's socket (proc_pid_wchan(5)). */
async function isWaiting(pid: number): Promise<boolean> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
  const [environment, channel] = await Promise.all([read('environ'), read('wchan')])
  return environment.includes('\0DEVSOCK_STANDBY=') && channel.startsWith('unix_stream')
}
