import type { ServiceState, ServiceStatus, SwapReceipt } from '../../proxy/protocol.ts'

/** A state in one character; the word always stands beside it. As the terminal shows them (cli/print/service.ts). */
export const SYMBOLS: Record<ServiceState, string> = {
  held: '○',
  starting: '◔',
  ready: '●',
  swapping: '◑',
  failed: '✗',
  stopping: '◌',
  stopped: '·',
  conflict: '!',
  external: '↗',
  done: '✓',
}

/** What a state means, for those who meet it for the first time. */
export const MEANINGS: Record<ServiceState, string> = {
  held: 'the port is held and nothing runs: the first connection starts it',
  starting: 'it runs and does not accept yet; connections wait',
  ready: 'it runs and accepts connections',
  swapping: 'the next generation takes over; connections wait or are served',
  failed: 'it does not run; connections get a page that says why',
  stopping: 'it finishes what it has and ends',
  stopped: 'its ports are released until it is started',
  conflict: 'somebody else has its port',
  external: 'somebody else’s server is used; devsock neither starts nor ends it',
  done: 'it ran to its end',
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** `51200000` → `51 MB`. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${BYTES[unit]}`
}

/** `412` → `412 ms`, `1530` → `1.5 s`, `90000` → `1m 30s`. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  return hours > 0 ? `${hours}h ${minutes}m` : `${minutes}m ${seconds % 60}s`
}

/** `12 s ago`, `3 min ago`, then the time of day, then the date. */
export function ago(at: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000))
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  const date = new Date(at)
  return seconds < 86_400 ? timeOfDay(at).slice(0, 5) : date.toLocaleDateString()
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0')

/** `14:03:07`, in this machine's time. */
export function timeOfDay(at: string): string {
  const date = new Date(at)
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** `src/api.js · 48 ms · 3 queued · 5 moved · 0 cut` */
export const receiptText = ({ cause, ms, queued, moved, cut }: SwapReceipt): string =>
  [cause, duration(ms), `${queued} queued`, `${moved} moved`, `${cut} cut`].join(' · ')

/** `http://localhost:5173`, or the address of a socket that has no URL. */
export const socketText = ({ url, address }: ServiceStatus['sockets'][number]): string =>
  url === null ? address : url.replace(/\/$/, '')

export const projectOf = (id: string): string => id.slice(0, id.lastIndexOf('/'))

/** `shop/web` → `web`; a program's name as it is. */
export const nameOf = (id: string): string => id.slice(id.lastIndexOf('/') + 1)
