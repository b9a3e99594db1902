/** A run of text in one style. `colour` and `background` are CSS colours that no class stands for. */
export interface Segment {
  text: string
  className: string
  colour: string | null
  background: string | null
}

/**
 * Escape sequences as ECMA-48 §5.4 shapes them, the 8-bit forms too: control sequences, control strings up to ST,
 * BEL or the end of the line, short escapes; then what else no page should see: controls but tab, and overrides of
 * the direction of text, which make a line read as another one (CVE-2021-42574).
 */
const SEQUENCES = new RegExp(
  [
    String.raw`(?:\x1b\[|\x9b)(?<parameters>[0-?]*)(?<between>[ -/]*)(?<final>[@-~]?)`,
    String.raw`(?:\x1b[PX\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?`,
    String.raw`\x1b[ -/]*[0-~]?`,
    String.raw`[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]`,
  ].join('|'),
  'g',
)

/** The text alone, as it is searched and copied. */
export const plainText = (text: string): string => afterLastReturn(text).replace(SEQUENCES, '')

/** A line in its colours: text and classes only, so that whatever a service prints stays text. */
export function segmentsOf(text: string): Segment[] {
  const line = afterLastReturn(text)
  const segments: Segment[] = []
  let style = PLAIN
  let from = 0
  const take = (to: number): void => {
    if (to > from) segments.push(segment(line.slice(from, to), style))
  }
  for (const match of line.matchAll(SEQUENCES)) {
    take(match.index)
    from = match.index + match[0].length
    const { parameters = '', between, final } = match.groups ?? {}
    if (final === 'm' && between === '') style = restyled(style, parameters)
  }
  take(line.length)
  return segments
}

/** A progress bar rewrites its line with CR: its last state is what a terminal would show. */
function afterLastReturn(text: string): string {
  const body = text.endsWith('\r') ? text.replace(/\r+$/, '') : text
  return body.slice(body.lastIndexOf('\r') + 1)
}

interface Style {
  /** 0 to 15: a class; a CSS colour; null: the default. */
  foreground: number | string | null
  background: number | string | null
  flags: ReadonlySet<Flag>
}

type Flag = 'bold' | 'dim' | 'italic' | 'underline' | 'inverse' | 'strike'

const PLAIN: Style = { foreground: null, background: null, flags: new Set() }

/** SGR codes that switch a flag on; what switches it off is 20 more (22 for bold and dim). */
const FLAGS: Record<number, Flag> = {
  1: 'bold',
  2: 'dim',
  3: 'italic',
  4: 'underline',
  7: 'inverse',
  9: 'strike',
}

/** The style after `CSI parameters m` (ECMA-48 §8.3.117; 38 and 48 as in ITU-T T.416). */
function restyled(style: Style, parameters: string): Style {
  if (!/^[\d;:]*$/.test(parameters)) return style
  const codes = parameters.split(/[;:]/).map(Number)
  let { foreground, background } = style
  const flags = new Set(style.flags)
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0
    const flag = FLAGS[code]
    if (code === 0) {
      foreground = background = null
      flags.clear()
    } else if (flag) flags.add(flag)
    else if (code === 22) for (const off of ['bold', 'dim'] as const) flags.delete(off)
    else if (code > 22 && code < 30) flags.delete(FLAGS[code - 20] ?? 'bold')
    else if (code === 38 || code === 48) {
      const { colour, length } = extendedColour(codes.slice(at + 1))
      if (code === 38) foreground = colour
      else background = colour
      at += length
    } else if (code === 39) foreground = null
    else if (code === 49) background = null
    else if (code >= 30 && code <= 37) foreground = code - 30
    else if (code >= 40 && code <= 47) background = code - 40
    else if (code >= 90 && code <= 97) foreground = code - 82
    else if (code >= 100 && code <= 107) background = code - 92
  }
  return { foreground, background, flags }
}

/** `5;N` or `2;R;G;B`, and how many codes it takes. */
function extendedColour([kind, ...codes]: number[]): { colour: Style['foreground']; length: number } {
  if (kind === 5) return { colour: paletteColour(codes[0] ?? 0), length: 2 }
  if (kind !== 2) return { colour: null, length: 1 }
  const [red = 0, green = 0, blue = 0] = codes.map((code) => Math.min(255, code))
  return { colour: `rgb(${red} ${green} ${blue})`, length: 4 }
}

/** xterm's 256: the sixteen, a cube of 6×6×6, then greys. */
function paletteColour(number: number): Style['foreground'] {
  if (number < 16) return number
  if (number > 231) {
    const grey = Math.min(238, 8 + (number - 232) * 10)
    return `rgb(${grey} ${grey} ${grey})`
  }
  const step = (value: number): number => (value === 0 ? 0 : 55 + value * 40)
  const index = number - 16
  const parts = [Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6]
  return `rgb(${parts.map(step).join(' ')})`
}

function segment(text: string, { foreground, background, flags }: Style): Segment {
  const [front, back] = flags.has('inverse') ? [background, foreground] : [foreground, background]
  const classes = [...flags].map((flag) => `ansi-${flag}`)
  if (typeof front === 'number') classes.push(`ansi-${front}`)
  if (typeof back === 'number') classes.push(`ansi-on-${back}`)
  return {
    text,
    className: classes.join(' '),
    colour: typeof front === 'string' ? front : null,
    background: typeof back === 'string' ? back : null,
  }
}
