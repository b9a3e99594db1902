/** The known word that a person most likely meant, null where none is near. */
export function nearest(word: string, known: Iterable<string>): string | null {
  const lower = word.toLowerCase()
  let best: string | null = null
  // A third of the letters may be wrong: `comand`, `whatch`; beyond that a suggestion confuses.
  let bestDistance = Math.floor(word.length / 3) + 1
  for (const candidate of known) {
    const distance = editDistance(lower, candidate.toLowerCase())
    const contains = word.length >= 3 && candidate.toLowerCase().includes(lower)
    const effective = contains ? Math.min(distance, 1) : distance
    if (effective < bestDistance) {
      best = candidate
      bestDistance = effective
    }
  }
  return best
}

/** `did you mean "watch"?`, or null. */
export function didYouMean(word: string, known: Iterable<string>): string | null {
  const found = nearest(word, known)
  return found === null ? null : `did you mean ${JSON.stringify(found)}?`
}

/** Damerau-Levenshtein, adjacent letters swapped counting as one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let older: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + same,
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (older[column - 2] ?? 0) + 1)
      }
      current.push(cost)
    }
    older = previous
    previous = current
  }
  return previous[b.length] ?? a.length
}
