import { setTimeout as delay } from 'node:timers/promises'
import { tripwire } from '../../../native/index.ts'
import type { Context } from '../context.ts'
import { lanesInUse } from '../lanes.ts'
import { generationId } from '../names.ts'
import type { Runner } from '../runner.ts'
import type { Service } from '../state.ts'
import type { Unit } from '../unit.ts'
import type { Task } from './task.ts'

/** Each takes one of the kernel's watches, of which a user may have a few thousand only. */
const MOST_FILES = 1_000
/** Milliseconds in which an event of the file's folder tells of a save, too; then it is looked for. */
const TOLD_MS = 20

/**
 * Has the holder steer to `lane` in the moment at which a file of the service changes. What hears of it later, the
 * daemon's watch of the folder, then finds that done; without it the same happens a millisecond later.
 */
export async function setTripwire(
  task: Task,
  { number, lane, revision }: { number: number; lane: number; revision: number },
): Promise<void> {
  const { context, unit, signal } = task
  const { holder } = context
  const id = generationId(unit.id, number)
  await unit.watch?.watching
  const files = unit.watch?.files ?? []
  if (signal.aborted || files.length === 0) return
  signal.addEventListener('abort', () => {
    const state = task.state()
    if (serves(state, number) && state.policy.revision !== revision) holder.untrip(id)
  })
  try {
    // Who stands by has made it, and listens there already.
    if (task.state().standby?.lane !== lane) {
      await Promise.all(unit.eachSocket((name) => holder.fresh(name, lane)))
    }
    if (!signal.aborted) await holder.tripwire(id, lane, () => tripwire(files.slice(0, MOST_FILES)))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    context.log.info({ service: unit.id, number, error: String(error) }, 'a save steers a little later')
  }
}

/**
 * The holder has steered, and the daemon's own watch tells why. Where it has nothing to tell (the file seems to be
 * the same), that is a change all the same: the generation drains already.
 */
export async function tripped(
  { holder, log }: Context,
  runner: Runner,
  number: number,
  lane: number,
  signal: AbortSignal,
): Promise<void> {
  const { unit } = runner
  try {
    await Promise.race([runner.until((state) => !serves(state, number), signal), told(unit)])
    if (serves(runner.state, number)) runner.tell({ type: 'change', detail: 'a watched file' })
    // Another lane has become the next one just before.
    const { steered } = runner.state
    if (steered === lane || lanesInUse(runner.state).has(lane)) return
    await Promise.all(unit.eachSocket((name) => holder.relay(name, lane)))
  } catch (error) {
    if (!signal.aborted) log.warn({ service: unit.id, error: String(error) }, 'relay after a save')
  }
}

/** Resolves when the watch has told all that it has to tell. */
async function told({ watch }: Unit): Promise<void> {
  await delay(TOLD_MS)
  await watch?.sweep()
}

const serves = ({ front }: Service, number: number): boolean =>
  front.kind === 'ready' && front.generation.number === number
