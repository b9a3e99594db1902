import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Io } from './io.ts'

/** One line from the person at the terminal, trimmed; null where they ended the input. */
export async function ask(
  { stdin, stdout }: Pick<Io, 'stdin' | 'stdout'>,
  question: string,
): Promise<string | null> {
  stdout.write(question)
  const lines = createInterface({ input: stdin, terminal: false })
  try {
    const [line] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
    return typeof line === 'string' ? line.trim() : null
  } finally {
    lines.close()
  }
}

/** Yes or no; `yes` says what the bare Enter means. */
export async function confirm(
  io: Pick<Io, 'stdin' | 'stdout'>,
  question: string,
  yes: boolean,
): Promise<boolean> {
  const answer = await ask(io, `${question} [${yes ? 'Y/n' : 'y/N'}] `)
  if (answer === null) return false
  return answer === '' ? yes : /^y(es)?$/i.test(answer)
}
