import type { Activity } from '../activities.ts'
import { answer } from './answer.ts'
import { awaitPort, bind, release } from './bind.ts'
import { drain } from './drain.ts'
import { kill, terminate } from './ending.ts'
import { awaitIdle } from './idle.ts'
import { awaitReady } from './readiness.ts'
import { arm, spawn } from './spawn.ts'
import { pause, type Task } from './task.ts'

/** Begins an activity. It ends with `task.signal`, and reports by `task.tell`. */
export function begin(activity: Activity, task: Task): void {
  const done = run(activity, task)
  done?.catch((error: unknown) => {
    if (task.signal.aborted) return
    task.context.log.error({ service: task.unit.id, activity, error }, 'an activity failed')
  })
}

function run(activity: Activity, task: Task): Promise<void> | undefined {
  switch (activity.kind) {
    case 'bind':
      return bind(task)
    case 'await-port':
      return awaitPort(task)
    case 'release':
      return release(task)
    case 'arm':
      return arm(task, activity)
    case 'answer':
      return answer(task, activity)
    case 'retry':
      return retry(task, activity.at)
    case 'spawn':
      return spawn(task, activity)
    case 'await-ready':
      return awaitReady(task, activity)
    case 'idle':
      return awaitIdle(task, activity)
    case 'drain':
      return drain(task, activity)
    case 'terminate':
      return terminate(task, activity)
    case 'kill':
      return kill(task, activity)
  }
}

async function retry(task: Task, at: number): Promise<void> {
  await pause(Math.max(0, at - task.context.now()), task)
  task.tell({ type: 'retry-due' })
}
