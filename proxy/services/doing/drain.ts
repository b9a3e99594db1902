import { accepted, acceptedUnix, heldByGroup, isBusy, waiting } from '../kernel.ts'
import { pause, type Task } from './task.ts'

/** Milliseconds between two looks: the first ones are quick, because most servers have nothing left to do. */
const FIRST_LOOK_MS = 2
const LOOK_MS = 25

/**
 * Waits until generation `number`, which gets no new connection any more, has accepted what waited in its lane
 * and answers nothing; at the drain deadline whatever is busy is counted as cut.
 *
 * By the kernel's view alone, so it holds for every server: under `protocol: http` over TCP a connection whose
 * last data went out is idle, and does not hold up the end; otherwise every open connection does.
 */
export async function drain(
  task: Task,
  { number, lane, served }: { number: number; lane: number; served: boolean },
): Promise<void> {
  const deadline = task.context.now() + task.unit.service.drainMs
  for (let look = FIRST_LOOK_MS; ; look = Math.min(LOOK_MS, look * 2)) {
    const busy = busyConnections(task, number)
    const done = busy === 0 && (!served || waiting(task, lane) === 0)
    if (done || task.context.now() >= deadline) return task.tell({ type: 'drained', number, cut: busy })
    await pause(look, task)
  }
}

function busyConnections(task: Task, number: number): number {
  const group = task.unit.leaders.get(number)
  if (group === undefined) return 0
  const http = new Set(
    task.unit.service.sockets
      .filter(({ protocol }) => protocol !== 'tcp')
      .map((socket) => task.unit.port(socket)),
  )
  const busy = accepted(task).filter((row) =>
    http.has(row.localPort) ? isBusy(row) : row.state === 'established',
  )
  return heldByGroup([...busy, ...acceptedUnix(task)], group).length
}
