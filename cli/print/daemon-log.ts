import type { Colour, Paint } from './paint.ts'
import { sanitizeLine } from './sanitize.ts'

/** pino's levels. */
const LEVELS: [from: number, name: string, colour: Colour][] = [
  [50, 'error', 'red'],
  [40, 'warn', 'yellow'],
  [30, 'info', 'green'],
  [0, 'debug', 'dim'],
]

/** `17:03:22.104 warn  its log is not recorded  service=shop/api`; what is no JSON, as it is. */
export function formatDaemonLine(text: string, paint: Paint): string {
  const entry = parse(text)
  if (entry === null) return sanitizeLine(text, { colours: false })
  const { level, time, msg, ...rest } = entry
  const [, name, colour] = LEVELS.find(([from]) => Number(level) >= from) ?? [0, 'debug', 'dim' as const]
  const at = Number.isFinite(Number(time))
    ? `${new Date(Number(time)).toTimeString().slice(0, 8)}.${String(Number(time) % 1000).padStart(3, '0')}`
    : ''
  const more = Object.entries(rest)
    // Each line has the same ones.
    .filter(([key]) => key !== 'pid' && key !== 'hostname')
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const parts = [paint('dim', at), paint(colour, name.padEnd(5)), safe(String(msg ?? ''))]
  return [...parts, ...(more.length > 0 ? [paint('dim', safe(more.join(' ')))] : [])].join('  ')
}

const safe = (text: string): string => sanitizeLine(text.replaceAll('\n', ' '), { colours: false })

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'msg' in value
      ? (value as Record<string, unknown>)
      : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
