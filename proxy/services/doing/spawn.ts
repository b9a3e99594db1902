import { HolderError } from '../../holder/error.ts'
import type { GenerationSpec } from '../../holder/spec.ts'
import { processStartedAt } from '../processes.ts'
import { startFailure } from '../start-failure.ts'
import type { StartFailure } from '../state.ts'
import { onLane } from './lane.ts'
import type { Task } from './task.ts'

/** Keeps a spec armed on the lane: the first connection starts it, daemon or no daemon. */
export async function arm(task: Task, { number, lane }: { number: number; lane: number }): Promise<void> {
  const { context, unit, signal } = task
  const made = specOf(task, number, lane)
  if (!('spec' in made)) return refuse(task, number, made)
  // In order on the same connection, so an arm that follows at once is not undone by this.
  signal.addEventListener('abort', () => {
    // It has fired.
    if (unit.leaders.has(number)) return
    context.holder
      .disarm(unit.id)
      .catch((error: unknown) => context.log.warn({ service: unit.id, error }, 'disarm'))
  })
  try {
    await onLane(task, lane, () => context.holder.arm(unit.id, made.spec))
  } catch (error) {
    if (error instanceof HolderError) return refuse(task, number, startFailure(error, unit.service))
    throw error
  }
}

export const spawn = (task: Task, on: { number: number; lane: number }): Promise<void> =>
  start(task, on, false)

/** Up to its user's code, where it waits until it is called. */
export const boot = (task: Task, on: { number: number; lane: number }): Promise<void> => start(task, on, true)

async function start(
  task: Task,
  { number, lane }: { number: number; lane: number },
  standby: boolean,
): Promise<void> {
  const { context, unit } = task
  if (standby) unit.uncalled.add(number)
  const made = specOf(task, number, lane, standby)
  if (!('spec' in made)) return refuse(task, number, made)
  const asked = context.now()
  try {
    const { pid, startTime } = await onLane(task, lane, () => context.holder.spawn(made.spec))
    // The holder answers with what runs under this id already, where an armed spec fired just before.
    const started = processStartedAt(startTime)
    // Also where it was replaced meanwhile, and this is no news any more: whoever ends it looks at its connections.
    unit.leaders.set(number, pid)
    task.tell({ type: 'spawned', number, pid, startedAt: started.latest < asked ? started.earliest : asked })
  } catch (error) {
    if (error instanceof HolderError) return refuse(task, number, startFailure(error, unit.service))
    throw error
  }
}

/** Its log needs a folder before the holder can open it. */
function specOf(
  { unit }: Task,
  number: number,
  lane: number,
  standby = false,
): { spec: GenerationSpec } | StartFailure {
  try {
    const made = unit.spec(number, lane, standby)
    return made.ok ? { spec: made.value } : { ...made.failure, shortage: false }
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    if (code === undefined || syscall === undefined) throw error
    return startFailure({ code, syscall, message }, unit.service)
  }
}

function refuse(task: Task, number: number, { message, hint, shortage }: StartFailure): void {
  task.tell({ type: 'spawn-failed', number, message, hint, shortage })
}
