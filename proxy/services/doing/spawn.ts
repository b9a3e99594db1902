import { HolderError } from '../../holder/error.ts'
import type { Failure } from '../../protocol.ts'
import { processStartedAt } from '../processes.ts'
import { startFailure } from '../start-failure.ts'
import type { Task } from './task.ts'

/** Keeps a spec armed on the lane: the first connection starts it, daemon or no daemon. */
export async function arm(task: Task, { number, lane }: { number: number; lane: number }): Promise<void> {
  const { context, unit, signal } = task
  const spec = unit.spec(number, lane)
  if (!spec.ok) return refuse(task, number, spec.failure)
  // In order on the same connection, so an arm that follows at once is not undone by this.
  signal.addEventListener('abort', () => {
    context.holder
      .disarm(unit.id)
      .catch((error: unknown) => context.log.warn({ service: unit.id, error }, 'disarm'))
  })
  try {
    await context.holder.arm(unit.id, spec.value)
  } catch (error) {
    if (error instanceof HolderError) return refuse(task, number, startFailure(error, unit.service))
    throw error
  }
}

export async function spawn(task: Task, { number, lane }: { number: number; lane: number }): Promise<void> {
  const { context, unit } = task
  const spec = unit.spec(number, lane)
  if (!spec.ok) return refuse(task, number, spec.failure)
  const asked = context.now()
  try {
    const { pid, startTime } = await context.holder.spawn(spec.value)
    // The holder answers with what runs under this id already, where an armed spec fired just before.
    const started = processStartedAt(startTime)
    task.tell({ type: 'spawned', number, pid, startedAt: started.latest < asked ? started.earliest : asked })
  } catch (error) {
    if (error instanceof HolderError) return refuse(task, number, startFailure(error, unit.service))
    throw error
  }
}

function refuse(task: Task, number: number, { message, hint }: Failure): void {
  task.tell({ type: 'spawn-failed', number, message, hint })
}
