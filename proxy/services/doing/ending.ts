import { generationId } from '../names.ts'
import { pause, type Task } from './task.ts'

/** A killed process that is still there hangs in the kernel, or is a stray that was forked meanwhile. */
const KILL_AGAIN_MS = 500

/** The stop signal to the whole generation, strays too; `grace-over` when it has not gone in time. */
export async function terminate(task: Task, { number }: { number: number }): Promise<void> {
  const { stop } = task.unit.service
  if (!(await signal(task, number, stop.signal))) return
  // A drained one is stopped (drain.ts): it takes the signal, and nothing else before.
  await signal(task, number, 'SIGCONT')
  await pause(stop.timeoutMs, task)
  task.context.log.warn(
    { service: task.unit.id, number },
    `still there ${stop.timeoutMs} ms after ${stop.signal}`,
  )
  task.tell({ type: 'grace-over', number })
}

/** SIGKILL to the whole generation until it has gone. */
export async function kill(task: Task, { number }: { number: number }): Promise<void> {
  while (await signal(task, number, 'SIGKILL')) await pause(KILL_AGAIN_MS, task)
}

/** False, and `gone` told, where nothing of the generation is left (or ever was: its spawn never happened). */
async function signal(task: Task, number: number, name: NodeJS.Signals): Promise<boolean> {
  const { holder } = task.context
  const reached = await holder.signal(generationId(task.unit.id, number), name, 'all')
  if (reached === null) task.tell({ type: 'gone', number })
  return reached !== null
}
