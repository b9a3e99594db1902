import type { Sample } from '../../rig/load.ts'

/** Times are the client's performance.now(). */
export interface Save {
  version: number
  /** When it was on disk. */
  at: number
  /** From then to the first answer of the new code; null where the next save came first. */
  newCodeMs: number | null
}

/** What the client of one run saw. */
export interface Recording {
  samples: Sample[]
  saves: Save[]
  failures: string[]
  /** What the client itself used, in cores. */
  cpu: number
}
