import { readlinkSync } from 'node:fs'
import { waiting } from '../kernel.ts'
import { generationId } from '../names.ts'
import { allProcesses, socketInodes } from '../processes.ts'
import { connectTo } from './taken.ts'
import { pause, type Task } from './task.ts'

/** Between two looks at the processes of a generation. */
const LOOK_MS = 20
/** A server that has no new process after that long has reloaded in the ones it had. */
const IN_PLACE_MS = 1_000
/** Servers that execute themselves again close their socket and take it again. */
const LOST_MS = 5_000

/**
 * Sends generation `number` its signal and sees whether it keeps its lane: a process that came after the signal, or
 * one of before, has the slot open, and a connection made to it is accepted.
 */
export async function reload(
  task: Task,
  { number, lane, signal }: { number: number; lane: number; signal: NodeJS.Signals },
): Promise<void> {
  const { context, unit } = task
  const before = new Set(holdersOf(task, number, lane))
  const reached = await context.holder.signal(generationId(unit.id, number), signal, 'leader')
  if (reached === null) return task.tell({ type: 'gone', number })
  const failed = (message: string): void => task.tell({ type: 'reload-failed', number, message })
  if (!(await keepsSlot(task, number, lane, before))) return failed('nobody has its socket any more')
  if (!(await accepts(task, lane))) return failed('it accepts no connection any more')
  task.tell({ type: 'reloaded', number })
}

async function keepsSlot(
  task: Task,
  number: number,
  lane: number,
  before: ReadonlySet<number>,
): Promise<boolean> {
  const began = task.context.now()
  for (;;) {
    await pause(LOOK_MS, task)
    const holders = holdersOf(task, number, lane)
    const age = task.context.now() - began
    if (holders.some((pid) => !before.has(pid))) return true
    if (age > IN_PLACE_MS && (holders.length > 0 || task.unit.service.sockets.length === 0)) return true
    if (age > LOST_MS) return false
  }
}

/** Processes of the generation that have the lane's first slot open. */
function holdersOf({ context, unit }: Task, number: number, lane: number): number[] {
  const [slot] = unit.eachSocket((name) => context.holder.socket(name)?.slots[lane])
  const group = unit.leaders.get(number)
  if (slot === undefined || group === undefined) return []
  const inode = Number(/\d+/.exec(readlinkSync(`/proc/self/fd/${slot.fd}`))?.[0])
  return allProcesses()
    .filter((process) => process.group === group && socketInodes(process.pid).includes(inode))
    .map(({ pid }) => pid)
}

async function accepts(task: Task, lane: number): Promise<boolean> {
  if (task.unit.service.sockets.length === 0) return true
  using _ = connectTo(task, lane)
  const deadline = task.context.now() + task.unit.service.ready.timeoutMs
  // Under load the queue may never be empty; one that gets shorter is taken from.
  for (let most = 0; task.context.now() < deadline; ) {
    const depth = waiting(task, lane)
    if (depth === 0 || depth < most) return true
    most = Math.max(most, depth)
    await pause(LOOK_MS, task)
  }
  return false
}
