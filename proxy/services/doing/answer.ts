import type { Descriptor } from '../../../native/index.ts'
import { Answerer } from '../../modes/answerer.ts'
import { answerFailure } from '../../modes/failure-page.ts'
import { visibleState } from '../view.ts'
import { repairLane } from './lane.ts'
import type { Task } from './task.ts'

/** Lines of the log that the failure page shows. */
const SHOWN_LINES = 30

/** Gives every connection of the lane the failure page, until something else is to be done with it. */
export async function answer(task: Task, { lane }: { lane: number }): Promise<void> {
  const { context, unit, signal } = task
  await repairLane(task, lane)
  let last: Promise<unknown> = Promise.resolve()
  const answering = unit.eachSocket(async (name) => {
    const slot = context.holder.socket(name)?.slots[lane]
    if (slot === undefined) return
    using answerer = new Answerer(
      slot,
      () => context.expect.readable(name, lane, signal),
      (request, response) => {
        // In the order of the queue.
        last = Promise.all([report(task), last]).then(
          ([failure]) => answerFailure(request, response, failure),
          (error: unknown) => {
            context.log.error({ service: unit.id, error }, 'no failure page')
            response.destroy()
          },
        )
      },
    )
    signal.addEventListener('abort', () => answerer[Symbol.dispose]())
    await Promise.all([answerer.run(), answerParked(task, name, answerer)])
  })
  await Promise.all(answering)
}

/** Connections of an older generation that ask while they are parked; the others wait on, for the next one. */
async function answerParked({ context, signal }: Task, name: string, answerer: Answerer): Promise<void> {
  const takeAll = async (): Promise<void> => {
    let taken: Descriptor[]
    do {
      taken = await context.holder.take(name)
      for (const connection of taken) answerer.serve(connection.release())
    } while (taken.length > 0)
  }
  while (!signal.aborted) await Promise.all([context.expect.parked(name, signal), takeAll()])
}

async function report(task: Task): Promise<Parameters<typeof answerFailure>[2]> {
  const { number, reason } = task.state()
  const lines: string[] = []
  try {
    for await (const { text } of task.unit.log(number).read({ last: SHOWN_LINES })) lines.push(text)
  } catch (error) {
    // The reason alone says much; whatever keeps the log from being read may be the reason itself.
    task.context.log.warn({ service: task.unit.id, error: String(error) }, 'its log cannot be shown')
  }
  return { service: task.unit.id, state: visibleState(task.state()), reason, generation: number, lines }
}
