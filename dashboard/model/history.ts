import type { ServiceState, ServiceStatus, SwapReceipt } from '../../proxy/protocol.ts'

/** Something that happened to a service, for its timeline. */
export interface Entry {
  at: string
  generation: number
  state: ServiceState
  /** `exit`: a generation ended by itself. */
  kind: 'state' | 'swap' | 'exit'
  message: string
  hint: string | null
  receipt: SwapReceipt | null
}

/** By service, oldest first. */
export type History = Record<string, Entry[]>

const MOST_ENTRIES = 100

/** Through these a service only passes: what it comes to says more. */
const PASSING = new Set<ServiceState>(['starting', 'swapping', 'stopping'])

export function remember(history: History, service: string, entries: Entry[]): History {
  if (entries.length === 0) return history
  return { ...history, [service]: [...(history[service] ?? []), ...entries].slice(-MOST_ENTRIES) }
}

/** What a status says that the one before it did not. */
export function newEntries(before: ServiceStatus, now: ServiceStatus, at: string): Entry[] {
  const entries: Entry[] = []
  const isFailure = now.state === 'failed' && isNews(before, now)
  // A failure names the exit that it is.
  if (now.crashes > before.crashes && now.lastExit && !isFailure)
    entries.push(exitEntry(now, now.lastExit.at))
  if (now.swaps > before.swaps && now.lastSwap) entries.push(swapEntry(now, now.lastSwap, at))
  else if (isNews(before, now)) entries.push(stateEntry(now, at))
  return entries
}

/** What is known of a service when the page meets it. */
export function firstEntries(service: ServiceStatus, at: string): Entry[] {
  const { lastExit, lastSwap, readyAt, crashes, state } = service
  const entries: Entry[] = []
  if (state === 'failed' && lastExit) return [stateEntry(service, lastExit.at)]
  if (lastExit && crashes > 0) entries.push(exitEntry(service, lastExit.at))
  if (lastSwap && readyAt && lastSwap.to === service.generation)
    entries.push(swapEntry(service, lastSwap, readyAt))
  else if (!PASSING.has(state)) entries.push(stateEntry(service, readyAt ?? at))
  return entries.toSorted((one, other) => one.at.localeCompare(other.at))
}

const isNews = (before: ServiceStatus, now: ServiceStatus): boolean =>
  !PASSING.has(now.state) && (before.state !== now.state || before.generation !== now.generation)

const stateEntry = ({ generation, state, reason: { message, hint } }: ServiceStatus, at: string): Entry => ({
  at,
  generation,
  state,
  kind: 'state',
  message,
  hint,
  receipt: null,
})

const swapEntry = (service: ServiceStatus, receipt: SwapReceipt, at: string): Entry => ({
  ...stateEntry(service, at),
  kind: 'swap',
  generation: receipt.to,
  receipt,
})

function exitEntry(service: ServiceStatus, at: string): Entry {
  const { code, signal } = service.lastExit ?? { code: null, signal: null }
  const message = signal ? `killed by ${signal}` : code === null ? 'ended' : `exit ${code}`
  return { ...stateEntry(service, at), kind: 'exit', state: 'failed', message, hint: null }
}
