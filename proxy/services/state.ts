import type { ExitStatus, PortOwner, Reason, ReasonCode, SwapPolicy, SwapReceipt } from '../protocol.ts'

/**
 * The state of one service, as plain data: it is saved before anything but steering is done, so that the next
 * daemon goes on where this one was killed.
 *
 *                    bind                    connection / start
 *   stopped ──────► binding ──────► held ───────────────────────► starting ──► ready
 *      ▲               │ ▲            ▲                             │   ▲        │ change: swap
 *      │               ▼ │            │ sleep, ended                ▼   └────────┤   hold: starting, steered there at once
 *   stopping        conflict       clearing ◄──── exited ──── failed             │   overlap: beside the current one
 *                                                                                └── exclusive: clearing first
 *
 * `front` is what serves, or will; generations that finish and end are in `leaving`, whatever the front does.
 */
export interface Service {
  policy: Policy
  desired: 'up' | 'held' | 'down'
  front: Front
  leaving: Leaving[]
  standby?: Standby | undefined
  /** The generation beside which a standby ended, or waited for too long: there is no other before the next. */
  standbyEnded?: number
  /** Number of the newest generation; the next is one more. */
  number: number
  /** Lane that new connections go to. */
  steered: number
  /** When generations ended by themselves lately (ms since the epoch), for the retry limit. */
  ends: number[]
  lastChange: Cause | null
  reason: Reason
  counters: { activations: number; swaps: number; crashes: number }
  readyAt: number | null
  lastExit: ExitStatus | null
  lastSwap: SwapReceipt | null
  /** What became of the connections of a generation that was done before the next one was ready, for its receipt. */
  drained?: { number: number; moved: number; cut: number }
}

/** What of a service's configuration its machine decides by. Times in milliseconds. */
export interface Policy {
  /** Counts the configurations applied: what is armed must be of the latest. */
  revision: number
  /** False: a worker. */
  sockets: boolean
  start: 'on-demand' | 'eager' | 'manual'
  swap: SwapPolicy
  /** The signal that a change sends in place of a swap. */
  reload: NodeJS.Signals | null
  /** The globs, for print; null: nothing is watched. */
  watch: string[] | null
  retry: { limit: number; withinMs: number; delayMs: number }
  /** The next process is booted ahead of time: as long as one serves, or for a while after it was ready. */
  standby: 'always' | 'lately' | null
}

/** A lane is the index of a slot, the same in all sockets of a service. */
export const LANES = 5

/** While more generations than this are leaving, none is started: the one after it would find no lane. */
export const MAX_LEAVING = 3

/** Milliseconds that the oldest of so many has had, at least, when it is ended for the sake of the next one. */
export const ROOM_MS = 1_000

/** Why a generation is started. */
export interface Cause {
  code: ReasonCode
  /** A file, a verb; '' where the code says it all. */
  detail: string
  /** When it happened, ms since the epoch. */
  at: number
}

export interface Generation {
  number: number
  lane: number
  cause: Cause
  /** Generation that this one replaces; null for a cold start. */
  replaces: number | null
  /** Null until it was spawned. */
  pid: number | null
  /** It was booted ahead, and goes on when it is called. */
  standby?: boolean
}

/** A process that was booted ahead, up to its user's code, and waits: the next generation, once there is to be one. */
export interface Standby {
  number: number
  lane: number
  /** Null until it was spawned. */
  pid: number | null
  /** Of the policy that it was started under. */
  revision: number
}

/** Finishing (`draining`), told to end (`terminating`), or killed; it goes when its whole group has gone. */
export interface Leaving {
  number: number
  lane: number
  phase: 'draining' | 'terminating' | 'killing'
  /** It was ready, or has accepted a connection; otherwise it is gone at once. */
  served: boolean
  /** When it began to leave, ms since the epoch. */
  since: number
}

/** What a cleared lane is for. */
export type Plan =
  | { do: 'spawn'; cause: Cause; replaces: number | null }
  /** A save has begun and its `change` follows: whoever connects meanwhile waits for the new code. */
  | { do: 'await-save'; cause: Cause; replaces: number }
  | { do: 'rest' }
  | { do: 'fail'; failed: Failed }

export interface Failed {
  /** Waiting connections get the failure page; otherwise they wait for the retry. */
  answering: boolean
  /** Time of the next try, ms since the epoch; null: only a change or a start. */
  retryAt: number | null
}

/** A socket that could not be had, by its name in the configuration, and who has its address. */
export interface Taken {
  socket: string
  /** Empty where it is nobody's: a privilege is missing, a folder. */
  owners: PortOwner[]
}

export type Front =
  | { kind: 'stopped' }
  | { kind: 'binding'; start: Cause | null }
  /** Waits until the port is free; `external`: what is there is used instead, and published. */
  | { kind: 'conflict'; start: Cause | null; taken: Taken[]; external: boolean }
  | { kind: 'held'; lane: number }
  | { kind: 'starting'; generation: Generation }
  /** `reloading`: it was sent its signal for that, and has not shown yet that it still serves. */
  | { kind: 'ready'; generation: Generation; reloading?: Cause }
  | { kind: 'overlap'; current: Generation; next: Generation }
  /** Waits until no generation is left on `lane` (`all`: none at all), then does `plan`. */
  | { kind: 'clearing'; lane: number; all: boolean; plan: Plan }
  | { kind: 'failed'; lane: number; failed: Failed }
  /** Waits until every generation has gone and the sockets are released. */
  | { kind: 'stopping'; next: 'stopped' | { start: Cause | null } }

/** The generation that is not ready yet. */
export function startingGeneration(front: Front): Generation | null {
  if (front.kind === 'overlap') return front.next
  return front.kind === 'starting' ? front.generation : null
}

export type Event = { at: number } & (
  | { type: 'up' }
  | { type: 'start' }
  | { type: 'restart' }
  | { type: 'stop' }
  | { type: 'sleep' }
  | { type: 'idle' }
  | { type: 'kill' } // end what is left of the leaving ones now
  | { type: 'saving'; detail: string } // a `change` follows, once the content is complete
  | { type: 'change'; detail: string }
  | { type: 'configure'; policy: Policy; restart: boolean; rebind: boolean }
  | { type: 'bound' }
  | { type: 'bind-failed'; taken: Taken[]; external: boolean; reason: Reason }
  | { type: 'port-free' }
  | { type: 'released' }
  | { type: 'spawned'; number: number; pid: number; startedAt: number } // ms since the epoch, not later than it was
  | ({ type: 'spawn-failed'; number: number } & StartFailure)
  | { type: 'calm' } // it has been ready for a while
  | { type: 'unneeded' } // what was booted ahead has waited for too long
  | { type: 'not-waiting'; number: number } // a generation that was booted ahead and could not be called
  | { type: 'ready'; number: number; queued: number }
  | { type: 'not-ready'; number: number; message: string; hint: string | null }
  | { type: 'reloaded'; number: number }
  | { type: 'reload-failed'; number: number; message: string }
  | ({ type: 'exited'; number: number } & Exit)
  | { type: 'unbound'; number: number } // the same of one that goes on without its port
  | { type: 'gone'; number: number }
  | { type: 'serves'; number: number } // one that is leaving has connections, though it was never ready
  | { type: 'drained'; number: number; moved: number; cut: number }
  | { type: 'grace-over'; number: number }
  | { type: 'retry-due' }
)

/** How a generation's leader ended. */
export interface Exit {
  /** One of both is null; both are where the status is not known. */
  code: number | null
  signal: string | null
  /** Processes that go on. */
  left: number
  /** It bound nothing, and another way to its port is still to be tried. */
  again: boolean
  /** What its words say about the cause. */
  hint: string | null
}

/** Why a generation could not be started. */
export interface StartFailure {
  message: string
  hint: string | null
  /** The machine's fault, not the configuration's: no disk, memory or descriptor is free just now. */
  shortage: boolean
}

/** An event without its time: the runner stamps it. */
export type Happening = Event extends infer E ? (E extends { at: number } ? Omit<E, 'at'> : never) : never

/** One-shot work that a transition asks for, in order. */
export type Effect =
  | { do: 'fresh'; lane: number }
  | { do: 'steer'; lane: number }
  | { do: 'relay'; lane: number }
  | { do: 'forget'; number: number }
  | { do: 'receipt'; receipt: SwapReceipt }
  | { do: 'notice'; level: 'info' | 'warn' | 'error'; message: string }
