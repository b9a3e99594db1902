import type { Io } from './io.ts'

/** Milliseconds until somebody wonders, and then between two looks at the clock. */
const PATIENCE_MS = 1_000

/**
 * What takes longer than a second says so: one line on stderr with the seconds so far, erased at the end. Terminals
 * only, so that no file or pipe ever has it.
 */
export async function withProgress<T>(
  { stderr, paint, env }: Pick<Io, 'stderr' | 'paint' | 'env'>,
  what: string,
  doing: Promise<T>,
): Promise<T> {
  if (!stderr.isTTY || env.TERM === 'dumb') return doing
  let seconds = 0
  const timer = setInterval(() => {
    seconds++
    const room = Math.max(0, (stderr.columns || 80) - 1)
    stderr.write(`\r\u001b[K${paint('dim', `${what} · ${seconds} s`.slice(0, room))}`)
  }, PATIENCE_MS)
  try {
    return await doing
  } finally {
    clearInterval(timer)
    if (seconds > 0) stderr.write('\r\u001b[K')
  }
}
