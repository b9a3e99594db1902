import { openConnections } from '../kernel.ts'
import { pause, type Task } from './task.ts'

/** How often connections are counted, as a part of the idle time. */
const STEPS = 10
const MIN_STEP_MS = 100
const MAX_STEP_MS = 10_000

/** Tells `idle` when no connection was open, and none waited, for the configured time. */
export async function awaitIdle(task: Task, { lane }: { number: number; lane: number }): Promise<void> {
  const { idleMs } = task.unit.service
  if (idleMs === null) return
  const step = Math.min(MAX_STEP_MS, Math.max(MIN_STEP_MS, idleMs / STEPS))
  const { unit } = task
  let since = task.context.now()
  try {
    for (;;) {
      unit.idleAt = since + idleMs
      await pause(Math.min(step, idleMs), task)
      const now = task.context.now()
      if (openConnections(task, lane) > 0) since = now
      else if (now - since >= idleMs) return task.tell({ type: 'idle' })
    }
  } finally {
    unit.idleAt = null
  }
}
