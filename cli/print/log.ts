import type { Colour, Paint } from './paint.ts'
import { sanitizeLine } from './sanitize.ts'
import { displayWidth, pad } from './width.ts'

const LABEL_COLOURS = ['cyan', 'magenta', 'green', 'yellow', 'blue'] as const satisfies Colour[]

/** A service keeps its colour, whatever else runs. */
export function labelColour(label: string): Colour {
  let sum = 0
  for (const character of label) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521
  return LABEL_COLOURS[sum % LABEL_COLOURS.length] ?? 'cyan'
}

export const labelWidth = (labels: string[]): number => Math.max(0, ...labels.map(displayWidth))

/** `api | listening`; without a label the line alone. What the service printed keeps its colours at most. */
export function formatLogLine(
  text: string,
  label: string,
  width: number,
  paint: Paint,
  colours: boolean,
): string {
  const line = sanitizeLine(text, { colours })
  return label === '' ? line : `${paint(labelColour(label), pad(label, width))} ${paint('dim', '|')} ${line}`
}
