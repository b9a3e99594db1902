import { listListeners } from '../ports/listeners.ts'
import type { PortListing } from '../protocol.ts'
import { allProcesses } from './processes.ts'
import type { Unit } from './unit.ts'

/** Where Node, the JVM and Python (debugpy) wait for a debugger: no server of theirs is there. */
const DEBUGGERS: readonly number[] = [9229, 5005, 5678]

/** The least TCP port that a process of these groups listens on and that devsock does not hold for the service. */
export async function portElsewhere(
  unit: Pick<Unit, 'ports'>,
  groups: Iterable<number | undefined>,
  listings?: readonly PortListing[],
): Promise<number | null> {
  const wanted = new Set(groups)
  const pids = new Set(allProcesses().flatMap(({ pid, group }) => (wanted.has(group) ? [pid] : [])))
  const known = new Set([...unit.ports.values(), ...DEBUGGERS])
  const found = (listings ?? (await listListeners())).find(
    ({ protocol, port, owners }) =>
      protocol === 'tcp' && !known.has(port) && owners.some(({ pid }) => pids.has(pid)),
  )
  return found?.port ?? null
}
