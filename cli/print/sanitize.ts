/**
 * A service may print anything; what reaches a person's terminal may colour text and nothing else. Cursor
 * moves, titles, clipboard writes (OSC 52), device queries (whose answers a shell would read as typed) go.
 */

/**
 * Escape sequences as ECMA-48 §5.4 shapes them, the 8-bit forms too: control sequences (kept when they end in
 * `m`: SGR), control strings up to ST, BEL or the end of the line, then the short escapes; a lone or broken ESC last.
 */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  /(?:\u001b\[|\u009b)([0-?]*)([ -/]*)([@-~]?)|(?:\u001b[PX\]^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of C0 and C1, but not tab and ESC (colours are left by now)
const CONTROLS = /[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f-\u009f]/g
/** Bidirectional overrides and isolates: they can make a line read as another one (CVE-2021-42574). */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g
const COLOUR = /^[0-9;:]*$/

export interface SanitizeOptions {
  /** Keep SGR sequences, and end the line with a reset when there was one. */
  colours: boolean
}

/** One line of a service's output, made safe to print. Tabs become spaces up to the next multiple of eight. */
export function sanitizeLine(text: string, { colours }: SanitizeOptions): string {
  let coloured = false
  const plain = afterLastReturn(text)
    .replace(SEQUENCES, (sequence, parameters?: string, between?: string, final?: string) => {
      if (!colours || final !== 'm' || between !== '' || !COLOUR.test(parameters ?? '')) return ''
      coloured = true
      return sequence.startsWith('\u009b') ? `\u001b[${parameters}m` : sequence
    })
    .replace(CONTROLS, '')
    .replace(BIDI, '')
  const expanded = plain.includes('\t') ? expandTabs(plain) : plain
  return coloured ? `${expanded}\u001b[0m` : expanded
}

/** A progress bar rewrites its line with CR: its last state is what a terminal would show. */
function afterLastReturn(text: string): string {
  const body = text.endsWith('\r') ? text.replace(/\r+$/, '') : text
  return body.slice(body.lastIndexOf('\r') + 1)
}

function expandTabs(text: string): string {
  let column = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no column
  return text.replace(/\u001b\[[0-9;:]*m|./gsu, (part) => {
    if (part.length > 2) return part
    if (part !== '\t') {
      column++
      return part
    }
    const spaces = 8 - (column % 8)
    column += spaces
    return ' '.repeat(spaces)
  })
}
