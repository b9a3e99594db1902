import { portElsewhere } from '../elsewhere.ts'
import { allProcesses } from '../processes.ts'
import type { Awaited } from './taken.ts'
import { pause, type Task } from './task.ts'

/** Between two looks at a program that has not bound its port: each reads /proc whole. */
const LOOK_MS = 1_000
/** So many looks in a row have to show the same. */
const LOOKS = 4
/** Processor time between two looks that a program needs while it only waits, ms. */
const IDLE_MS = 50

/**
 * Resolves when a starting program will not get to its slot: with the port that it listens on instead, where it does
 * nothing more than that. Tells `unbound` where its port is taken for it, by devsock itself, and it stays
 * (`nodemon --exec`). Nothing is looked at once it has bound.
 */
export async function astray(task: Task, { number }: Awaited): Promise<number> {
  const { unit } = task
  const { kind } = unit.service.ready
  const mayTell = kind === 'accept' || kind === 'http'
  const group = unit.leaders.get(number)
  let last: { port: number | null; cpuMs: number } = { port: null, cpuMs: 0 }
  let looks = 0
  for (;;) {
    await pause(LOOK_MS, task)
    if (unit.adoption(number).handover !== null) continue
    if (unit.isSecondDue(number, null)) task.tell({ type: 'unbound', number })
    if (!mayTell) continue
    const now = { port: await portElsewhere(unit, [group]), cpuMs: processorTime(group) }
    const same = now.port !== null && now.port === last.port && now.cpuMs - last.cpuMs <= IDLE_MS
    looks = same ? looks + 1 : 0
    last = now
    if (now.port !== null && looks >= LOOKS - 1) return now.port
  }
}

const processorTime = (group: number | undefined): number =>
  allProcesses().reduce((sum, each) => (each.group === group ? sum + each.cpuMs : sum), 0)
