import type { LoadName } from './loads.ts'
import type { CellResult, Goal } from './report.ts'

/** Of the time from a save to its code, against `node --watch`. */
const OF_NODE_WATCH = 0.25
/** A request may wait this much longer than the server takes to boot, ms. */
const OVER_BOOT = 20

/** What devsock promises, as far as it was measured. */
export function goals(cells: readonly CellResult[], bootMs: number | null): Goal[] {
  return cells.flatMap((cell) => {
    if (!cell.contender.startsWith('devsock')) return []
    const { app, load } = cell
    const who = named(cell)
    const found: Goal[] = []
    const isNode = app.startsWith('Express')
    if (isNode ? load !== 'WebSocket' : load === 'new connections') found.push(lossless(cell))
    if (!isNode) return found
    if (load === 'new connections' || load === '150 ms') found.push(...soon(cell, cells))
    if (load === 'keep-alive' && cell.swapP99 !== null && bootMs !== null) {
      const most = bootMs + OVER_BOOT
      found.push({
        what: `${who}: p99 of keep-alive requests during swaps ≤ boot + ${OVER_BOOT} ms = ${most.toFixed(0)} ms`,
        is: `${cell.swapP99.toFixed(0)} ms`,
        met: cell.swapP99 <= most,
      })
    }
    return found
  })
}

const named = ({ contender, app }: CellResult) => `${contender}, ${app}`

function lossless(cell: CellResult): Goal {
  const { load, refused, reset, error, stale, stalestMs } = cell
  const late = stale > 0 ? ` (≤ ${stalestMs.toFixed(1)} ms after the save)` : ''
  return {
    what: `${named(cell)}, ${load}: none refused, reset, failed or stale`,
    is: `${refused}, ${reset}, ${error}, ${stale}${late}`,
    met: refused + reset + error + stale === 0,
  }
}

function soon(cell: CellResult, cells: readonly CellResult[]): Goal[] {
  const against = (peer: string, factor: number): Goal[] => {
    const other = find(cells, peer, cell.app, cell.load)?.newCodeMs
    if (!other) return []
    const ratio = (cell.newCodeMs ?? Number.POSITIVE_INFINITY) / other
    return [
      {
        what: `${named(cell)}, ${cell.load}: save to new code ≤ ${factor} × ${peer}`,
        is: ratio.toFixed(2),
        met: ratio <= factor,
      },
    ]
  }
  // Without a process that was booted ahead Node's own start alone takes longer.
  const ahead = cell.contender === 'devsock' ? against('node --watch', OF_NODE_WATCH) : []
  return [...against('nodemon', 1), ...ahead]
}

const find = (cells: readonly CellResult[], contender: string, app: string, load: LoadName) =>
  cells.find((cell) => cell.contender === contender && cell.app === app && cell.load === load)
