import { useEffect, useReducer } from 'react'
import { duration } from '../model/words.ts'

const TICK_MS = 1_000

/** How long a service has until it goes to sleep, should nobody connect. Says nothing where it never does. */
export function IdleCountdown({ at }: { at: string | null }) {
  // The time itself is no state: it would be that of the last tick when `at` comes anew, and a second too much is shown.
  const [, tick] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    if (at === null) return
    const timer = setInterval(tick, TICK_MS)
    return () => clearInterval(timer)
  }, [at])
  if (at === null) return null
  const left = Math.max(0, Date.parse(at) - Date.now())
  return <> · sleeps in {left < 60_000 ? `${Math.ceil(left / 1_000)} s` : duration(left)}</>
}
