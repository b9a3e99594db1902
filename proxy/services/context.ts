import type { Logger } from 'pino'
import type { HolderLink } from '../holder/link.ts'
import type { DevsockEvent } from '../protocol.ts'
import type { WatchFile } from '../watch/file-watches.ts'
import type { Adopter } from './adoption.ts'
import type { Expectations } from './expectations.ts'
import type { Member } from './member.ts'
import type { Unit } from './unit.ts'

/** An event before the hub numbers and dates it. */
export type News = DevsockEvent extends infer E
  ? E extends { seq: number }
    ? Omit<E, 'v' | 'seq' | 'at'>
    : never
  : never

/** What every service of a daemon works with. */
export interface Context {
  readonly holder: HolderLink
  readonly expect: Expectations
  readonly adopter: Adopter
  readonly log: Logger
  readonly watchFile: WatchFile
  /** Milliseconds since the epoch. */
  now(): number
  publish(news: News): void
  /** A service is not what it was: its status goes out with the next turn of the loop. */
  changed(unit: Unit): void
  /** A connection started that generation. */
  woken(member: Member, generation: number): void
}
