import type { Line } from './buffer.ts'

/** px; a row of a wrapped line is as high as it was measured. */
export const ROW_HEIGHT = 20

/** Where each line's row begins in a list that is far longer than the screen. */
export class Rows {
  readonly #lines: readonly Line[]
  /** Where each begins, and at last where all end; null where all are of one height. */
  readonly #starts: Float64Array | null

  /** `heights`: px of rows that were measured and are of another height, by the line's key. */
  constructor(lines: readonly Line[], heights: ReadonlyMap<number, number>) {
    this.#lines = lines
    this.#starts = heights.size === 0 ? null : startsOf(lines, heights)
  }

  /** px of all together. */
  get total(): number {
    return this.start(this.#lines.length)
  }

  start(index: number): number {
    return this.#starts?.[index] ?? index * ROW_HEIGHT
  }

  /** The row at that height, the last one beyond the end. */
  indexAt(y: number): number {
    const last = Math.max(0, this.#lines.length - 1)
    const starts = this.#starts
    if (starts === null) return Math.min(last, Math.max(0, Math.floor(y / ROW_HEIGHT)))
    return firstWhere(last, (index) => (starts[index + 1] ?? Number.POSITIVE_INFINITY) > y)
  }

  /** The line with that key; where the filter let it go, the next one. */
  indexOf(key: number): number {
    return firstWhere(this.#lines.length, (index) => (this.#lines[index]?.key ?? 0) >= key)
  }
}

function startsOf(lines: readonly Line[], heights: ReadonlyMap<number, number>): Float64Array {
  const starts = new Float64Array(lines.length + 1)
  let at = 0
  for (let index = 0; index < lines.length; index += 1) {
    starts[index] = at
    at += heights.get(lines[index]?.key ?? 0) ?? ROW_HEIGHT
  }
  starts[lines.length] = at
  return starts
}

/** The first number below `count` for which `test` holds, which it then does for all after it; else `count`. */
function firstWhere(count: number, test: (index: number) => boolean): number {
  let [from, to] = [0, count]
  while (from < to) {
    const middle = (from + to) >> 1
    if (test(middle)) to = middle
    else from = middle + 1
  }
  return from
}
