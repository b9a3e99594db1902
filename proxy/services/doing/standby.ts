import { HolderError } from '../../holder/error.ts'
import { generationId } from '../names.ts'
import { pause, type Task } from './task.ts'

/** After a generation is ready: whoever saves again within that is better served without a boot beside it. */
const CALM_MS = 500

/** Whoever has not come to wait by then never will; meanwhile it is asked for again so often. */
const BOOT_MS = 2_000
const AGAIN_MS = 5

/** Who has not saved for that long works on something else, and may have its memory. */
const LATELY_MS = 600_000

/** Tells when it is time to boot the next process. */
export async function calm(task: Task): Promise<void> {
  await pause(CALM_MS, task)
  task.tell({ type: 'calm' })
}

/** Tells when nobody is likely to need it soon. */
export async function awaitNeed(task: Task): Promise<void> {
  await pause(LATELY_MS, task)
  task.tell({ type: 'unneeded' })
}

/**
 * Lets a generation that was booted ahead go on to its user's code, once it has come to wait. False, and `not-waiting`
 * told, where it cannot.
 */
export async function call(task: Task, number: number): Promise<boolean> {
  const { context, unit } = task
  const since = performance.now()
  for (;;) {
    try {
      await context.holder.call(generationId(unit.id, number))
      unit.uncalled.delete(number)
      return true
    } catch (error) {
      if (!(error instanceof HolderError)) throw error
      if (error.code === 'EAGAIN' && performance.now() - since < BOOT_MS) {
        await pause(AGAIN_MS, task)
        continue
      }
      context.log.info({ service: unit.id, number, error: String(error) }, 'not called')
      task.tell({ type: 'not-waiting', number })
      return false
    }
  }
}
