/** What a terminal shows, as a picture: colours of SGR, one text a run of them. */
import { displayWidth } from '../../cli/print/width.ts'

const CELL = { width: 8.4, height: 18, font: 14 }
const FRAME = { padding: 14, bar: 30 }
/** A dark theme with enough contrast: 7:1 for text, 4.5:1 for what is dim. */
const PALETTE = ['#484f58', '#ff7b72', '#56d364', '#e3b341', '#79c0ff', '#d2a8ff', '#56d4dd', '#c9d1d9']
const COLOURS = { text: '#e6edf3', dim: '#8b949e', back: '#0d1117', bar: '#161b22' }

interface Style {
  colour: string | null
  bold: boolean
  dim: boolean
  reverse: boolean
}

const PLAIN: Style = { colour: null, bold: false, dim: false, reverse: false }

/** @param screen as `tmux capture-pane -e` prints it */
export function toSvg(screen: string, columns: number, rows: number, title: string): string {
  const width = Math.ceil(columns * CELL.width + 2 * FRAME.padding)
  const height = rows * CELL.height + 2 * FRAME.padding + FRAME.bar
  const lines = screen.split('\n').slice(0, rows)
  let style = PLAIN
  const body = lines.flatMap((line, row) => {
    const drawn = drawRow(line, row, style)
    style = drawn.style
    return drawn.parts
  })
  const buttons = ['#ff5f57', '#febc2e', '#28c840'].map(
    (colour, index) => `<circle cx="${18 + index * 18}" cy="${FRAME.bar / 2}" r="5.5" fill="${colour}"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${CELL.font}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${COLOURS.back}"/>`,
    `<path d="M0 ${FRAME.bar}V8a8 8 0 0 1 8-8H${width - 8}a8 8 0 0 1 8 8V${FRAME.bar}z" fill="${COLOURS.bar}"/>`,
    ...buttons,
    `<text x="${width / 2}" y="${FRAME.bar / 2 + 5}" fill="${COLOURS.dim}" text-anchor="middle">${escapeXml(title)}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n')
}

function drawRow(line: string, row: number, before: Style): { parts: string[]; style: Style } {
  const parts: string[] = []
  let style = before
  let column = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence starts with one
  for (const part of line.split(/(\u001b\[[0-9;:]*m)/)) {
    if (part.startsWith('\u001b')) {
      style = part.slice(2, -1).split(/[;:]/).map(Number).reduce(applySgr, style)
      continue
    }
    const cells = displayWidth(part)
    if (part.trim() !== '' || style.reverse) parts.push(...drawRun(part, column, cells, row, style))
    column += cells
  }
  return { parts, style }
}

function drawRun(text: string, column: number, cells: number, row: number, style: Style): string[] {
  const x = (FRAME.padding + column * CELL.width).toFixed(1)
  const y = FRAME.bar + FRAME.padding + row * CELL.height
  const length = (cells * CELL.width).toFixed(1)
  const colour = style.colour ?? (style.dim ? COLOURS.dim : COLOURS.text)
  const back = style.reverse
    ? [`<rect x="${x}" y="${y}" width="${length}" height="${CELL.height}" fill="${colour}"/>`]
    : []
  const fill = style.reverse ? COLOURS.back : colour
  const attributes = [
    `x="${x}" y="${y + CELL.font}" fill="${fill}" textLength="${length}" xml:space="preserve"`,
    style.bold ? ' font-weight="bold"' : '',
  ].join('')
  return [...back, `<text ${attributes}>${escapeXml(text)}</text>`]
}

function applySgr(style: Style, code: number): Style {
  if (code === 0) return PLAIN
  if (code === 1) return { ...style, bold: true }
  if (code === 2) return { ...style, dim: true }
  if (code === 7) return { ...style, reverse: true }
  if (code === 22) return { ...style, bold: false, dim: false }
  if (code === 27) return { ...style, reverse: false }
  if (code === 39) return { ...style, colour: null }
  // Bright black is what stack traces are dim with: as readable as dim.
  if (code === 90) return { ...style, colour: COLOURS.dim }
  if (code >= 30 && code <= 37) return { ...style, colour: PALETTE[code - 30] ?? null }
  if (code >= 90 && code <= 97) return { ...style, colour: PALETTE[code - 90] ?? null }
  return style
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
