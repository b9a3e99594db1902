import type { Task } from './task.ts'

/** What an older generation parks goes to the one that serves, also where none of its programs takes it. */
export async function pass({ context, unit, signal }: Task): Promise<void> {
  const passing = unit.eachSocket(async (name) => {
    while (!signal.aborted) {
      const more = context.expect.parked(name, signal)
      await Promise.all([more, context.holder.pass(name)])
    }
  })
  await Promise.all(passing)
}
