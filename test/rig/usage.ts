import { readdir, readFile } from 'node:fs/promises'

export interface Usage {
  descriptors: number
  /** Resident, MB. */
  memory: number
}

/** What a process has open and in memory (proc(5)). */
export async function usageOf(pid: number): Promise<Usage> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length
  return { descriptors, memory: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024 }
}
