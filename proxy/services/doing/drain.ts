import type { Connection } from '../../../native/index.ts'
import { accepted, acceptedUnix, heldByGroup, heldByProcesses, isBusy, waiting } from '../kernel.ts'
import { generationId } from '../names.ts'
import { isRunning } from '../processes.ts'
import { pause, type Task } from './task.ts'

/** Milliseconds between two looks: the first ones are quick, because most servers have nothing left to do. */
const FIRST_LOOK_MS = 2
const LOOK_MS = 25
/** Most milliseconds for what a program does at the end of its last connection, of which the kernel knows first. */
const HEARD_MS = 200

/**
 * Waits until generation `number`, which gets no new connection any more, has accepted what waited in its lane
 * and has nothing left to do; at the drain deadline what is left is counted as cut.
 *
 * A Node process moves its connections (native/adopt/node): it is done when it has none. Of others the kernel's
 * view has to do: under `protocol: http` over TCP a connection whose last data went out is idle, and does not hold
 * up the end; otherwise every open connection does.
 */
export async function drain(
  task: Task,
  { number, lane, served }: { number: number; lane: number; served: boolean },
): Promise<void> {
  const { context, unit } = task
  const deadline = context.now() + unit.service.drainMs
  const id = generationId(unit.id, number)
  const leader = unit.leaders.get(number) ?? []
  // The answer tells, too, that the steering before it is done: nobody comes to this lane any more.
  const ask = async () => (await context.holder.drain(id)) ?? { moved: 0, pids: [] }
  let heardBy = context.now() + HEARD_MS
  for (let look = FIRST_LOOK_MS; ; look = Math.min(LOOK_MS, look * 2)) {
    const { pids } = await ask()
    const left = () => connectionsLeft(task, number, pids)
    const isEmpty = left() === 0 && (!served || waiting(task, lane) === 0)
    if (!isEmpty) heardBy = context.now() + HEARD_MS
    const hasHeard = context.now() >= heardBy || ![leader, pids].flat().some(isRunning)
    const isDone = isEmpty && hasHeard && (await stopped(task, id, left))
    if (isDone || context.now() >= deadline) {
      // What is not there any more may have been moved since it was asked.
      const { moved } = await ask()
      return task.tell({ type: 'drained', number, moved, cut: isDone ? 0 : left() })
    }
    if (!served) return task.tell({ type: 'serves', number })
    await pause(look, task)
  }
}

/**
 * Stops it where it stands, and looks again: between a look and its end it could take a connection, or a request.
 * Its stop signal is what it goes on with (ending.ts). False, and it goes on, where it had.
 */
async function stopped({ context }: Task, id: string, left: () => number): Promise<boolean> {
  await context.holder.signal(id, 'SIGSTOP', 'group')
  if (left() === 0) return true
  await context.holder.signal(id, 'SIGCONT', 'group')
  return false
}

/** Those that hold up the end of a generation, of which the processes `moving` move theirs. */
function connectionsLeft(task: Task, number: number, moving: number[]): number {
  const group = task.unit.leaders.get(number)
  if (group === undefined) return 0
  const http = new Set(
    task.unit.service.sockets
      .filter(({ protocol }) => protocol !== 'tcp')
      .map((socket) => task.unit.port(socket)),
  )
  const isInUse = (row: Connection): boolean =>
    http.has(row.localPort) ? isBusy(row) : row.state === 'established'
  const rows = accepted(task)
  const toMove = new Set(heldByProcesses(rows, moving))
  const busy = rows.filter((row) => !toMove.has(row) && isInUse(row))
  return toMove.size + heldByGroup([...busy, ...acceptedUnix(task)], group).length
}
