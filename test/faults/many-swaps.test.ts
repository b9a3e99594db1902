import { expect, test } from 'vitest'
import { LANES } from '../../proxy/services/state.ts'
import { Rig } from '../rig/rig.ts'
import { Swaps } from '../rig/swaps.ts'

/** Node collects its garbage when it wants to; what a swap leaked would show. */
const MEMORY_MB = 16

test('40 swaps in a row leave not one descriptor or process more, and no memory to speak of', async () => {
  await using rig = await Rig.create()
  using swaps = await Swaps.start(rig)
  // Until the daemon has run all of its code.
  await swaps.make(10)
  const before = await swaps.household()
  await swaps.make(40)
  const after = await swaps.household()
  for (const who of ['daemon', 'holder'] as const) {
    expect(after[who].descriptors, who).toBe(before[who].descriptors)
    // And the dashboard's.
    expect(after[who].listeners, who).toBeLessThanOrEqual(LANES + 1)
    expect(after[who].memory - before[who].memory, who).toBeLessThan(MEMORY_MB)
  }
  expect(after.processes).toBe(before.processes)
})
