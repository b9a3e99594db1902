import { setTimeout as pause } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Milliseconds; 10 s unless said. */
  deadline?: number
  /** What is being waited for, for the message. */
  what?: string
  /** Added to the message when the deadline passes: logs, states. */
  dump?: () => Promise<string>
}

/**
 * Asks until the answer is truthy and returns it. An attempt that throws counts as "not yet"; its last
 * error is the cause of the one thrown at the deadline.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  { deadline = 10_000, what = 'the condition', dump }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const until = performance.now() + deadline
  let cause: unknown
  for (let wait = 2; ; wait = Math.min(wait * 1.5, 50)) {
    try {
      const answer = await attempt()
      if (answer) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= until) break
    await pause(wait)
  }
  const why = cause instanceof Error ? ` (last: ${cause.message})` : ''
  throw new Error(`${what} did not come true in ${deadline} ms${why}\n${(await dump?.()) ?? ''}`, { cause })
}
