/** Two columns on a terminal: East Asian wide and full-width forms (UAX #11), and emoji shown as pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u
/** None: marks that combine with what stands before, joiners, variation selectors. */
const NARROWEST = /^[\p{Mn}\p{Me}\p{Cf}]$/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence starts with one
const SGR = /\u001b\[[0-9;:]*m/g

export const widthOfCharacter = (character: string): number =>
  character < '\u0300' ? 1 : NARROWEST.test(character) ? 0 : WIDE.test(character) ? 2 : 1

/** Columns that text takes on a terminal; colours take none. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text.replace(SGR, '')) width += widthOfCharacter(character)
  return width
}

/** Cuts plain text to `width` columns, with an ellipsis in the last one where something went. */
export function truncate(text: string, width: number): string {
  if (width <= 0) return ''
  if (displayWidth(text) <= width) return text
  let kept = ''
  let used = 0
  for (const character of text) {
    const next = widthOfCharacter(character)
    if (used + next > width - 1) break
    kept += character
    used += next
  }
  return `${kept}…`
}

/** Pads with spaces to `width` columns. */
export const pad = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)))
