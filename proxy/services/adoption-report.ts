import { readlinkSync } from 'node:fs'
import type { Descriptor } from '../../native/index.ts'
import type { Handover } from '../protocol.ts'
import { unlessGone } from './processes.ts'

/** What the preload library says of a program (native/adopt/report.c), or the holder where it answered the bind(). */
export interface AdoptionReport {
  /** `bound`: a bind() was answered with a slot · `accepting`: it waits for connections, or takes the first one. */
  what: 'bound' | 'accepting'
  /** Place of the slot among the generation's. */
  position: number
  pid: number
  fd: number
  handover: 'inherited' | 'preload' | 'kernel'
  /** It asked for all interfaces and got localhost. */
  narrowed: boolean
}

/** Of a notify message; null where it is none of ours. */
export function parseReport(payload: string): AdoptionReport | null {
  const match = /^X_DEVSOCK=(bound|accepting) (\d+) (\d+) (\d+) (preload|inherited|kernel)( narrowed)?$/.exec(
    payload,
  )
  if (match === null) return null
  const [, what, position, pid, fd, handover, narrowed] = match
  return {
    what: what === 'bound' ? 'bound' : 'accepting',
    position: Number(position),
    pid: Number(pid),
    fd: Number(fd),
    handover: handover === 'preload' || handover === 'kernel' ? handover : 'inherited',
    narrowed: narrowed !== undefined,
  }
}

/** A listener that is a probe (Vite looks whether its port is free) is closed again before this. */
const SETTLED_MS = 50

/** What is known of one generation by the reports of its programs. */
export class Adoption {
  handover: Handover
  /** Time of the last bind(); null: none yet. */
  boundAt: number | null = null
  #attention: (AdoptionReport & { at: number }) | null = null

  constructor(handover: Handover = null) {
    this.handover = handover
  }

  on(report: AdoptionReport, at: number): void {
    // A reloader that bound, and the server below it that inherited: the first says how it came about.
    if (this.handover !== 'preload') this.handover = report.handover
    if (report.what === 'bound') this.boundAt = at
    else this.#attention = { ...report, at }
  }

  /** Whether a program has waited for connections on that slot for long enough to mean it. */
  isAccepting(now: number, slots: readonly (Descriptor | undefined)[]): boolean {
    const seen = this.#attention
    if (seen === null || now - seen.at < SETTLED_MS) return false
    const slot = slots[seen.position]
    if (slot !== undefined && isSame(seen, slot)) return true
    this.#attention = null
    return false
  }
}

function isSame({ pid, fd }: AdoptionReport, slot: Descriptor): boolean {
  const link = unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`))
  return link !== null && link === readlinkSync(`/proc/self/fd/${slot.fd}`)
}
