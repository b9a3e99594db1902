/** Looks closer together than this say nothing: the kernel counts in ticks of 10 ms. */
const SHORTEST_MS = 500

/** Nobody has watched for so long that an average over it would be no news. */
const LONGEST_MS = 5_000

/** Turns processor times into a rate, between one look and the next. */
export class CpuMeter {
  #at = 0
  #times: ReadonlyMap<number, number> = new Map()
  #percent: number | null = null

  /**
   * Percent of one core since the last look, in whole steps; null at the first one.
   * @param times processor time of each process group so far, ms
   * @param now ms since the epoch
   */
  read(times: ReadonlyMap<number, number>, now: number): number | null {
    const elapsed = now - this.#at
    if (elapsed >= 0 && elapsed < SHORTEST_MS) return this.#percent
    let used = 0
    for (const [group, ms] of times) {
      // A group that is new has used all of it since; one whose process has ended takes its share along.
      used += Math.max(0, ms - (this.#times.get(group) ?? 0))
    }
    const known = elapsed > 0 && elapsed <= LONGEST_MS
    this.#percent = known ? Math.round((used / elapsed) * 100) : null
    this.#at = now
    this.#times = times
    return this.#percent
  }
}
