import type { ServiceStatus } from '../../proxy/protocol.ts'

/** What a service used, as uPlot wants it: one list a series. Times in seconds since the epoch. */
export interface Curve {
  times: number[]
  memory: (number | null)[]
  cpu: (number | null)[]
}

export type Usage = Record<string, Curve>

/** Points of a curve, one a second. */
export const CURVE_POINTS = 60

/** `now` in ms since the epoch. */
export function withSample(usage: Usage, { id, memory, cpu }: ServiceStatus, now: number): Usage {
  const { times, memory: memories, cpu: cpus } = usage[id] ?? { times: [], memory: [], cpu: [] }
  const curve = {
    times: [...times, now / 1000].slice(-CURVE_POINTS),
    memory: [...memories, memory].slice(-CURVE_POINTS),
    cpu: [...cpus, cpu].slice(-CURVE_POINTS),
  }
  return { ...usage, [id]: curve }
}
