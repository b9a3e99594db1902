import { HolderError } from '../../holder/error.ts'
import type { Task } from './task.ts'

/**
 * Makes a request that needs a lane. Where a shortage (EMFILE) has kept the lane from being made, or from being
 * known here, the request is made again once that is done. Answers come in order, so a refusal is never early.
 */
export async function onLane<T>(task: Task, lane: number, request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (error) {
    if (!(error instanceof HolderError) || !(await repairLane(task, lane))) throw error
    return request()
  }
}

/** True if anything had to be done. */
export async function repairLane({ context, unit, state }: Task, lane: number): Promise<boolean> {
  const { holder } = context
  let repaired = false
  for (const name of unit.eachSocket((each) => each)) {
    if (isWhole(name)) continue
    repaired = true
    // A lane that the holder has may have clients in it, who would be lost if it were made afresh.
    await holder.fetch(name)
    if (holder.socket(name)?.slots[lane] === undefined) await holder.fresh(name, lane)
    if (state().steered === lane) await holder.steer(name, lane)
  }
  return repaired

  function isWhole(name: string): boolean {
    const held = holder.socket(name)
    return held?.slots[lane] !== undefined && (state().steered !== lane || held.steered === lane)
  }
}
