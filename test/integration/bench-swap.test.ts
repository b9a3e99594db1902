import { expect, test } from 'vitest'
import { CHECKOUT, Rig } from '../rig/rig.ts'

test('the benchmark of saves runs, and its books are balanced', async () => {
  await using rig = await Rig.create()
  const only = '^devsock: php -S: (new connections|keep-alive)$'
  const argv = ['npm', 'run', '-s', 'bench:swap', '--', '--seconds', '4', '--rounds', '1', '--only', only]
  const bench = await rig.spawn(argv, { cwd: CHECKOUT }).finished(60_000)
  const row = (load: string) =>
    bench.stdout
      .split('\n')
      .find((line) => line.startsWith('| devsock | php -S') && line.includes(`| ${load} `))
      ?.split('|')
      .map((cell) => cell.trim())
  for (const load of ['new connections', 'keep-alive']) {
    const [sent, ok, refused, reset, error] = row(load)?.slice(4, 9).map(Number) ?? []
    expect(sent, bench.stdout + bench.stderr).toBeGreaterThan(700)
    expect({ refused, reset, error }).toEqual({ refused: 0, reset: 0, error: 0 })
    expect(ok).toBe(sent)
  }
})
