import type { Outcome, Sample } from '../../rig/load.ts'
import { median } from '../measure.ts'
import type { Recording, Save } from './recording.ts'

/** What is made of all runs of one cell. Times in ms, from when a request was to be sent. */
export interface Figures extends Record<'ok' | 'refused' | 'reset' | 'error', number> {
  sent: number
  /** Answers of old code to requests that began when the new one was on disk; and the longest time after it. */
  stale: number
  stalestMs: number
  p50: number
  p99: number
  max: number
  /** Of the requests between a save and the first answer of its code. */
  swapP99: number | null
  saves: number
  /** Median from the save on disk to the first answer of its code; null where most saves were never seen. */
  newCodeMs: number | null
  missed: number
  /** How late the client itself came to send a request, and what it used, in cores. */
  clientLateP99: number
  clientCpu: number
}

export function figures(recordings: readonly Recording[]): Figures {
  const samples = recordings.flatMap((each) => each.samples)
  const saves = recordings.flatMap((each) => each.saves)
  const count = (...outcomes: Outcome[]) => samples.filter(({ outcome }) => outcomes.includes(outcome)).length
  const ok = samples.filter(({ outcome }) => outcome === 'ok').map(latency)
  const ages = recordings.flatMap((each) => each.samples.flatMap((sample) => staleBy(sample, each.saves)))
  const swapping = recordings.flatMap((each) => each.samples.filter((sample) => inSwap(sample, each.saves)))
  const newCode = median(saves.map(({ newCodeMs }) => newCodeMs ?? Number.POSITIVE_INFINITY))
  return {
    sent: samples.length,
    ok: ok.length,
    refused: count('refused'),
    reset: count('reset'),
    error: count('answered', 'timeout', 'other'),
    stale: ages.length,
    stalestMs: Math.max(0, ...ages),
    p50: percentile(ok, 50),
    p99: percentile(ok, 99),
    max: percentile(ok, 100),
    swapP99: swapping.length > 0 ? percentile(swapping.map(latency), 99) : null,
    saves: saves.length,
    newCodeMs: Number.isFinite(newCode) ? newCode : null,
    missed: saves.filter(({ newCodeMs }) => newCodeMs === null).length,
    clientLateP99: percentile(
      samples.map(({ due, sent }) => sent - due),
      99,
    ),
    clientCpu: median(recordings.map(({ cpu }) => cpu)),
  }
}

const latency = ({ due, ended }: Sample) => ended - due

/** How long after the save it began, where it got older code; otherwise nothing. */
function staleBy({ outcome, begun, body }: Sample, saves: readonly Save[]): number[] {
  if (outcome !== 'ok') return []
  const got = Number(/^v(\d+)/.exec(body)?.[1])
  // The first save that it should have been newer than is the one that it is late for.
  const missed = saves.find(({ version, at }) => version > got && at < begun)
  return missed ? [begun - missed.at] : []
}

const inSwap = ({ outcome, due }: Sample, saves: readonly Save[]) =>
  outcome === 'ok' &&
  saves.some(({ at, newCodeMs }) => newCodeMs !== null && due >= at && due < at + newCodeMs)

/** The nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
}
