/** Lines that have been made safe (sanitize.ts) and may hold colours: cut, wrapped and marked by what one sees. */
import { displayWidth, widthOfCharacter } from './width.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence starts with one
const SGR = /(\u001b\[[0-9;:]*m)/
const RESET = '\u001b[0m'
/** Reverse video is no colour: NO_COLOR leaves it. */
const MARKED = '\u001b[7m'
const UNMARKED = '\u001b[27m'

const isSgr = (part: string): boolean => part.startsWith('\u001b')
const endsColours = (sgr: string): boolean => sgr === RESET || sgr === '\u001b[m'

/** The rows that a line takes at `width` columns; one at least. Colours go on from row to row. */
export function wrapStyled(line: string, width: number): string[] {
  const rows: string[] = []
  let row = ''
  let used = 0
  let colours = ''
  for (const part of line.split(SGR)) {
    if (isSgr(part)) {
      colours = endsColours(part) ? '' : colours + part
      row += part
      continue
    }
    for (const character of part) {
      const next = widthOfCharacter(character)
      if (used + next > width && used > 0) {
        rows.push(colours === '' ? row : row + RESET)
        row = colours
        used = 0
      }
      row += character
      used += next
    }
  }
  rows.push(row)
  return rows
}

/** Plain text in rows of `width` columns at most, broken between words; within them only where one is too long. */
export function wrapWords(text: string, width: number): string[] {
  const rows: string[] = []
  let row = ''
  for (const word of text.split(' ')) {
    const next = row === '' ? word : `${row} ${word}`
    if (displayWidth(next) <= width) {
      row = next
      continue
    }
    if (row !== '') rows.push(row)
    const pieces = wrapStyled(word, width)
    rows.push(...pieces.slice(0, -1))
    row = pieces.at(-1) ?? ''
  }
  return [...rows, row]
}

/** Cut to `width` columns, with an ellipsis in the last one where something went. */
export function cutStyled(line: string, width: number): string {
  if (line.length <= width && !line.includes('\u001b') && isNarrow(line)) return line
  let kept = ''
  let used = 0
  // Where the ellipsis would go, should more come than fits.
  let room = 0
  let isColoured = false
  for (const part of line.split(SGR)) {
    if (isSgr(part)) {
      kept += part
      isColoured = true
      continue
    }
    for (const character of part) {
      const next = widthOfCharacter(character)
      if (used + next > width) return `${kept.slice(0, room)}…${isColoured ? RESET : ''}`
      kept += character
      used += next
      if (used <= width - 1) room = kept.length
    }
  }
  return kept
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: printable ASCII takes a column each
const isNarrow = (text: string): boolean => /^[\u0000-\u007f]*$/.test(text)

/** Puts what `needle` finds into reverse video. */
export function markStyled(line: string, needle: Needle): string {
  const ranges = needle(
    line
      .split(SGR)
      .filter((part) => !isSgr(part))
      .join(''),
  )
  if (ranges.length === 0) return line
  const marks = new Map(ranges.flatMap(({ from, to }) => [[from, MARKED] as const, [to, UNMARKED] as const]))
  let marked = ''
  let at = 0
  let isInside = false
  for (const part of line.split(SGR)) {
    if (isSgr(part)) {
      marked += isInside ? part + MARKED : part
      continue
    }
    for (let index = 0; index < part.length; index++, at++) {
      const mark = marks.get(at)
      if (mark !== undefined) {
        marked += mark
        isInside = mark === MARKED
      }
      marked += part[index]
    }
  }
  return isInside ? marked + UNMARKED : marked
}

/** Where a text is found in a line, in the order of the line and apart from each other. */
export type Needle = (text: string) => { from: number; to: number }[]

/** Any case, unless there is an upper-case letter in it (as vim's smartcase, less -i). */
export function createNeedle(wanted: string): Needle {
  if (wanted === '') return () => []
  const fold = wanted === wanted.toLowerCase() ? (text: string) => text.toLowerCase() : (text: string) => text
  return (text) => {
    const ranges = []
    const folded = fold(text)
    for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length))
      ranges.push({ from: at, to: at + wanted.length })
    return ranges
  }
}
