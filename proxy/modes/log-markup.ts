import { AnsiUp } from 'ansi_up'

const COLOUR = String.raw`\x1b\[[0-9;]*m`
/**
 * Escape sequences (ECMA-48 §5.4: control sequences, strings, the short ones, 8-bit forms), controls but tab and line
 * feed, and what turns the direction of text round, so that a line would read as another one (CVE-2021-42574).
 */
const REST = [
  String.raw`(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?`,
  String.raw`(?:\x1b[PX\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?`,
  String.raw`\x1b[ -/]*[0-~]?`,
  String.raw`[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]`,
].join('|')
const ESCAPES = new RegExp(REST, 'g')
const ESCAPES_BUT_COLOUR = new RegExp(`(${COLOUR})|${REST}`, 'g')

/** The text alone. */
export const plain = (text: string): string => text.replace(ESCAPES, '')

/** Lines of a log as HTML: its colours, by classes `ansi-red-fg` and styles, and otherwise nothing but text. */
export function colouredLog(lines: readonly string[]): string {
  const markup = new AnsiUp()
  markup.use_classes = true
  // No link is worth a click that a log asks for.
  markup.url_allowlist = {}
  return markup.ansi_to_html(lines.join('\n').replace(ESCAPES_BUT_COLOUR, '$1'))
}
