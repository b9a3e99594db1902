import { fail, ok, type Result } from '../../proxy/protocol.ts'

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** `51200000` → `51 MB`: decimal units, two digits at least below ten. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${BYTES[unit]}`
}

/** `412` → `412 ms`, `1530` → `1.5 s`, `90000` → `1m 30s`. Milliseconds in. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  return hours > 0 ? `${hours}h ${minutes}m` : `${minutes}m ${seconds % 60}s`
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `30s`, `500ms`, `10m`, `1.5h`; a bare number is seconds. Milliseconds out. */
export function parseDuration(text: string): Result<number> {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim()) ?? []
  const factor = MILLISECONDS[unit]
  if (digits === undefined || factor === undefined) {
    return fail('usage', `"${text}" is not a duration.`, 'Write 500ms, 30s, 10m or 2h.')
  }
  return ok(Math.round(Number(digits) * factor))
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
