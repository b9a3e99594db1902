import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from '../context.ts'
import type { Happening, Service } from '../state.ts'
import type { Unit } from '../unit.ts'

/** What an activity is given: whom it is for, whom to tell, and when to stop. */
export interface Task {
  readonly context: Context
  readonly unit: Unit
  /** The state now. */
  state(): Service
  /** Does nothing once the signal is aborted: nobody waits for that news any more. */
  tell(happening: Happening): void
  readonly signal: AbortSignal
}

/** Waits `ms`; rejects when the activity is over. */
export const pause = (ms: number, { signal }: Task): Promise<void> => delay(ms, undefined, { signal })
