import { readdir, readFile } from 'node:fs/promises'
import { socketInodes } from '../../proxy/services/processes.ts'
import { listeners } from './ports.ts'

export interface Usage {
  /** Other than listeners. */
  descriptors: number
  /** TCP sockets that listen: a lane has its own from when it is first needed, which a busy machine decides. */
  listeners: number
  /** Resident, MB. */
  memory: number
}

/** What a process has open and in memory (proc(5)). */
export async function usageOf(pid: number): Promise<Usage> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const all = (await readdir(`/proc/${pid}/fd`)).length
  const listening = new Set((await listeners()).map(({ inode }) => inode))
  const own = socketInodes(pid).filter((inode) => listening.has(inode)).length
  const memory = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
  return { descriptors: all - own, listeners: own, memory }
}
