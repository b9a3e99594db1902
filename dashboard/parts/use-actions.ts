import { useState } from 'react'
import type { ServiceStatus, ServiceVerb, SocketStatus } from '../../proxy/protocol.ts'
import { useStore } from '../store.ts'

export interface Action {
  verb: ServiceVerb
  label: string
  /** What it does, in words. */
  title: string
}

const START: Action = { verb: 'start', label: 'Start', title: 'start it now, without a connection' }
const RETRY: Action = { verb: 'start', label: 'Start', title: 'try again' }
const RESTART: Action = { verb: 'restart', label: 'Restart', title: 'swap it for a new generation' }
const SLEEP: Action = {
  verb: 'sleep',
  label: 'Sleep',
  title: 'end it and keep its port: the next connection wakes it',
}
const STOP: Action = { verb: 'stop', label: 'Stop', title: 'end it and release its port' }

/** What makes sense in a state, the likeliest first. */
export function actionsOf({ state, sockets }: ServiceStatus): Action[] {
  switch (state) {
    case 'held':
      return [START, STOP]
    case 'starting':
    case 'swapping':
    case 'ready':
      return sockets.length > 0 ? [RESTART, SLEEP, STOP] : [RESTART, STOP]
    case 'failed':
      return [RETRY, STOP]
    case 'stopped':
    case 'done':
      return [START]
    case 'conflict':
      return [STOP]
    case 'stopping':
    case 'external':
      return []
  }
}

/** The socket that somebody else has; null where nothing is in the way. */
export const conflictOf = ({ state, sockets }: ServiceStatus): SocketStatus | null =>
  state === 'conflict' ? (sockets.find(({ owner, port }) => owner !== null && port !== null) ?? null) : null

/** Asks the daemon for a verb, and tells when that failed. `busy`: the verb that is under way. */
export function useVerb(id: string): { busy: ServiceVerb | null; perform(verb: ServiceVerb): void } {
  const store = useStore()
  const [busy, setBusy] = useState<ServiceVerb | null>(null)
  const perform = async (verb: ServiceVerb): Promise<void> => {
    if (busy !== null) return
    setBusy(verb)
    const result = await store.api.verb(id, verb)
    setBusy(null)
    if (!result.ok) store.sayFailure(result.failure)
  }
  return { busy, perform: (verb) => void perform(verb) }
}
