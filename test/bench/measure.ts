import { connect } from 'node:net'

/** One figure of the table, with what it is measured against in the same run. */
export interface Row {
  what: string
  devsock: string
  against: string
  /** Devsock's figure ÷ the other's, or the figure itself where there is no other. */
  value: number
  goal: string
  met: boolean
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle]
  if (high === undefined) throw new Error('no values')
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? high)) / 2
}

/** Milliseconds from connect() to the first byte of an answer. */
export function firstByte(port: number, deadline = 10_000): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.setTimeout(deadline, () => socket.destroy(new Error(`no byte from ${port} in ${deadline} ms`)))
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    socket.once('data', () => {
      resolve(performance.now() - began)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

/** One way of doing a thing: `run` gives a figure, `reset` makes the next one possible. */
export interface Variant {
  name: string
  reset(): Promise<void>
  run(): Promise<number>
}

/** Medians of `rounds` runs of each, interleaved, so that a slow moment of the machine hits all alike. */
export async function compare(variants: readonly Variant[], rounds: number): Promise<Map<string, number>> {
  const samples = new Map<string, number[]>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const { name, reset, run } of variants) {
      await reset()
      const sample = await run()
      // The first round warms the page cache.
      if (round > 0) samples.get(name)?.push(sample)
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]))
}

export const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} ms`

/** A row for a ratio of two medians of `compare`. */
export function ratioRow(
  what: string,
  medians: Map<string, number>,
  names: [devsock: string, against: string],
  goal: number,
  better: 'lower' | 'higher' = 'lower',
  print: (value: number) => string = ms,
): Row {
  const [devsock, against] = names.map((name) => medians.get(name) ?? Number.NaN) as [number, number]
  const value = devsock / against
  return {
    what,
    devsock: print(devsock),
    against: `${print(against)} (${names[1]})`,
    value,
    goal: `${better === 'lower' ? '≤' : '≥'} ${goal}`,
    met: better === 'lower' ? value <= goal : value >= goal,
  }
}
