import type { Duration } from './define.ts'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** The longest time that setTimeout() can hold: 2^31 - 1 ms, about 24 days. */
export const MAX_DURATION_MS = 2_147_483_647

/** `5s`, `1.5m`: what the written form and its JSON schema accept. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/

/** Milliseconds of `'500ms'`, `'5s'`, `'15m'`, `'1h'` or of a number, which is milliseconds; null for what is no time. */
export function parseDuration(written: number | string): number | null {
  if (typeof written === 'number') return inRange(written)
  const [, amount, unit] = DURATION.exec(written) ?? []
  if (amount === undefined || unit === undefined) return null
  return inRange(Number(amount) * UNITS[unit as keyof typeof UNITS])
}

function inRange(ms: number): number | null {
  return Number.isFinite(ms) && ms >= 0 && ms <= MAX_DURATION_MS ? Math.round(ms) : null
}

/** Milliseconds of what the schema has let through. */
export function milliseconds(written: Duration | undefined, otherwise: number): number {
  return written === undefined ? otherwise : (parseDuration(written) ?? otherwise)
}
