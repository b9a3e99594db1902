import { pause, type Task } from './task.ts'

/** A program that takes connections has said so by then, ms; each one that is passed is the holder's to carry. */
const TAKEN_WITHIN_MS = 1_000

/** What an older generation parks goes to the one that serves, also where none of its programs takes it. */
export async function pass(task: Task): Promise<void> {
  const { context, unit, signal } = task
  const passing = unit.eachSocket(async (name) => {
    while (!signal.aborted) {
      const more = context.expect.parked(name, signal)
      await Promise.all([more, pause(TAKEN_WITHIN_MS, task).then(() => context.holder.pass(name))])
    }
  })
  await Promise.all(passing)
}
