import type { HolderError } from './error.ts'

/** What the holder tells the daemon unasked. `id` is a generation's, `socket` and `key` are names the daemon gave. */
export type HolderEvent =
  /** An armed spec started, because that socket became readable. `startTime`: field 22 of /proc/PID/stat, in clock ticks. */
  | { type: 'spawned'; key: string; id: string; pid: number; startTime: number; socket: string }
  /** It could not; the connection still waits, and the spec is armed no longer. */
  | { type: 'spawn-failed'; key: string; id: string; error: HolderError; socket: string }
  /** READY=1 came. */
  | { type: 'ready'; id: string }
  /** Any notify message, whole (sd_notify(3)). */
  | { type: 'notify'; id: string; payload: string }
  /** The leader has ended; both null where the status cannot be known. `left`: processes that go on. */
  | { type: 'exited'; id: string; code: number | null; signal: string | null; left: number }
  /** Nothing of the generation is left. */
  | { type: 'gone'; id: string }
  /** A file of it has changed, and connections go to that lane now. */
  | { type: 'tripped'; id: string; lane: number }
  /** A watched slot has a connection to accept. */
  | { type: 'readable'; socket: string; index: number }
  /** Connections of that socket are parked, or one of them has asked for something. */
  | { type: 'parked'; socket: string }
  /** A listener was shut down by its program and listens again: the kernel's order of the slots is now this. */
  | { type: 'order'; socket: string; order: number[] }
