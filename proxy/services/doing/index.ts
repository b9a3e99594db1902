import type { Activity } from '../activities.ts'
import type { Happening } from '../state.ts'
import { answer } from './answer.ts'
import { awaitPort, bind, release } from './bind.ts'
import { drain } from './drain.ts'
import { kill, terminate } from './ending.ts'
import { awaitIdle } from './idle.ts'
import { pass } from './pass.ts'
import { awaitReady } from './readiness.ts'
import { reload } from './reload.ts'
import { arm, boot, spawn } from './spawn.ts'
import { awaitNeed, calm } from './standby.ts'
import { pause, type Task } from './task.ts'
import { setTripwire } from './tripwire.ts'

/** Milliseconds before an activity that could not be done is begun again: the first time, and at most. */
const FIRST_AGAIN_MS = 200
const MOST_AGAIN_MS = 5_000

/**
 * Begins an activity. It ends with `task.signal`, and reports by `task.tell`. What it needs may be missing just
 * now (no descriptor is free, /proc cannot be read): then it is begun again for as long as the state calls for it,
 * because nothing else would bring the service out of that state.
 */
export async function begin(activity: Activity, task: Task): Promise<void> {
  const { context, unit, signal } = task
  for (let again = FIRST_AGAIN_MS; !signal.aborted; again = Math.min(again * 2, MOST_AGAIN_MS)) {
    try {
      return await run(activity, task)
    } catch (error) {
      if (signal.aborted) return
      context.log.error({ service: unit.id, activity, error: String(error) }, 'an activity failed')
      if (again === FIRST_AGAIN_MS) {
        const message = `${activity.kind}: ${error instanceof Error ? error.message : error}; tried again`
        context.publish({
          type: 'notice',
          level: 'error',
          project: unit.project,
          service: unit.name,
          message,
        })
      }
    }
    // Rejects when the state calls for something else: then that is under way.
    await pause(again, task).catch(() => undefined)
  }
}

function run(activity: Activity, task: Task): Promise<void> {
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
      return at(task, activity.at, { type: 'retry-due' })
    case 'spawn':
      return spawn(task, activity)
    case 'await-ready':
      return awaitReady(task, activity)
    case 'calm':
      return calm(task)
    case 'boot':
      return boot(task, activity)
    case 'await-need':
      return awaitNeed(task)
    case 'idle':
      return awaitIdle(task, activity)
    case 'reload':
      return reload(task, activity)
    case 'pass':
      return pass(task)
    case 'tripwire':
      return setTripwire(task, activity)
    case 'drain':
      return drain(task, activity)
    case 'terminate':
      return terminate(task, activity)
    case 'kill':
      return kill(task, activity)
    case 'make-room':
      return at(task, activity.at, { type: 'grace-over', number: activity.number })
  }
}

async function at(task: Task, time: number, happening: Happening): Promise<void> {
  await pause(Math.max(0, time - task.context.now()), task)
  task.tell(happening)
}
