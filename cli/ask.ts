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

/**
 * One key of `keys`, as it is pressed; null for Escape, Ctrl-C, Ctrl-D and a terminal that goes away. Where the input
 * has no raw mode, it is the first letter of a line.
 */
export async function askKey(
  { stdin, stdout }: Pick<Io, 'stdin' | 'stdout'>,
  question: string,
  keys: string,
): Promise<string | null> {
  stdout.write(question)
  stdin.setRawMode?.(true)
  try {
    for (;;) {
      const data = await nextInput(stdin)
      if (data === null) return null
      const [first = ''] = data.toLowerCase()
      // An arrow key begins with Escape, too, and is no answer.
      if ('\u0003\u0004'.includes(first) || data === '\u001b') return null
      if (!keys.includes(first)) continue
      stdout.write(first)
      return first
    }
  } finally {
    stdin.setRawMode?.(false)
    stdin.pause()
    stdout.write('\n')
  }
}

async function nextInput(stdin: Io['stdin']): Promise<string | null> {
  const over = new AbortController()
  const { signal } = over
  try {
    const [data] = await Promise.race([
      once(stdin, 'data', { signal }),
      once(stdin, 'end', { signal }),
      once(stdin, 'close', { signal }),
    ])
    return data === undefined ? null : String(data)
  } finally {
    over.abort()
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
