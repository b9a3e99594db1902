import { useEffect, useState } from 'react'
import { duration } from '../model/words.ts'

const TICK_MS = 1_000

/** How long a service has until it goes to sleep, should nobody connect. Says nothing where it never does. */
export function IdleCountdown({ at }: { at: string | null }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (at === null) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), TICK_MS)
    return () => clearInterval(timer)
  }, [at])
  if (at === null) return null
  const left = Math.max(0, Date.parse(at) - now)
  return <> · sleeps in {left < 60_000 ? `${Math.ceil(left / 1_000)} s` : duration(left)}</>
}
