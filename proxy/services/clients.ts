import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { socketOwners } from '../../native/index.ts'
import { unlessGone } from './processes.ts'

/** Whose one end of a connection is. */
export interface Client {
  /** `project/service`, or a program's name. */
  id: string
  /** Null for a program that is none of a service. */
  generation: number | null
}

/** Process groups of all living generations. */
export type Groups = Map<number, { id: string; generation: number }>

/**
 * Who has these sockets open: generations are asked first, then every other process that may be looked at, the
 * newest first. Null where nobody is found, and for those of the processes `own`, which are devsock's.
 */
export function clientsOf(
  inodes: ReadonlySet<number>,
  groups: Groups,
  own: ReadonlySet<number>,
): Map<number, Client | null> {
  const found = new Map<number, Client | null>([...inodes].map((inode) => [inode, null]))
  for (const { inode, pid, group } of socketOwners([...inodes], [...groups.keys()])) {
    if (own.has(pid)) continue
    found.set(inode, groups.get(group) ?? { id: programName(pid), generation: null })
  }
  return found
}

/** `curl`, `firefox`: what people call it, which its thread's name (comm) often is not. */
function programName(pid: number): string {
  const [path = ''] = (unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '').split('\0')
  // Chromium writes its whole command line into the first argument.
  const name = basename(path.split(' --')[0] ?? '')
  return printable(name) || 'a program'
}

/** A process names itself as it likes. */
const printable = (name: string): string => name.replace(/\p{C}+/gu, '').slice(0, 40)
