import type { Line } from './buffer.ts'

/**
 * Key of the next line after `key` (before it, upwards) that matches; beyond the end it goes on from the other one.
 * Null where none does.
 */
export function nextMatch(
  lines: readonly Line[],
  matcher: RegExp,
  key: number,
  isDown: boolean,
): number | null {
  const matches = ({ plain }: Line): boolean => plain.search(matcher) >= 0
  if (isDown) {
    const after = lines.findIndex((line) => line.key > key)
    const [first, rest] = after < 0 ? [lines, []] : [lines.slice(after), lines.slice(0, after)]
    return (first.find(matches) ?? rest.find(matches))?.key ?? null
  }
  const before = lines.findLastIndex((line) => line.key < key) + 1
  return (lines.slice(0, before).findLast(matches) ?? lines.slice(before).findLast(matches))?.key ?? null
}
