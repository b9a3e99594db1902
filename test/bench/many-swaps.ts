import { Rig } from '../rig/rig.ts'
import { Swaps } from '../rig/swaps.ts'
import type { Usage } from '../rig/usage.ts'
import type { Row } from './measure.ts'

const SWAPS = 1000
/** Until the daemon has run all of its code and collected its garbage. */
const FIRST = 100
/** What Node keeps of its heap differs by this from one time to the next, MB. */
const NODE_MB = 16
const HOLDER_MB = 1

/** What devsock keeps of a swap. */
export async function manySwaps(): Promise<Row[]> {
  await using rig = await Rig.create()
  using swaps = await Swaps.start(rig)
  await swaps.make(FIRST)
  const before = await swaps.household()
  await swaps.make(SWAPS)
  const after = await swaps.household()
  const row = (what: string, more: number, unit: string, most: number): Row => ({
    what: `${SWAPS} swaps in a row: ${what}`,
    devsock: `${more > 0 ? '+' : ''}${Number(more.toFixed(1))}${unit}`,
    against: '',
    value: more,
    goal: most === 0 ? '0 more' : `≤ ${most}${unit} more`,
    met: more <= most,
  })
  const more = (who: 'daemon' | 'holder', what: keyof Usage) => after[who][what] - before[who][what]
  return [
    row('descriptors of the daemon', more('daemon', 'descriptors'), '', 0),
    row('descriptors of the holder', more('holder', 'descriptors'), '', 0),
    row('processes', after.processes - before.processes, '', 0),
    row('memory of the daemon', more('daemon', 'memory'), ' MB', NODE_MB),
    row('memory of the holder', more('holder', 'memory'), ' MB', HOLDER_MB),
  ]
}
