import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

const STYLES = {
  bold: 'bold',
  dim: 'dim',
  red: 'red',
  green: 'green',
  yellow: 'yellow',
  blue: 'blue',
  magenta: 'magenta',
  cyan: 'cyan',
} as const satisfies Record<string, Style>

export type Colour = keyof typeof STYLES
export type Paint = (colour: Colour, text: string) => string

/** Colours text, or leaves it as it is. */
export function createPaint(enabled: boolean): Paint {
  if (!enabled) return (_, text) => text
  return (colour, text) => styleText(STYLES[colour], text, { validateStream: false })
}

/**
 * Whether this output gets colours: --no-color, then NO_COLOR (https://no-color.org: any value but the
 * empty one), then FORCE_COLOR, then whether it is a terminal that can.
 */
export function wantsColour(output: { isTTY?: boolean }, env: NodeJS.ProcessEnv, option = true): boolean {
  if (!option || env.NO_COLOR) return false
  const forced = env.FORCE_COLOR
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return output.isTTY === true && env.TERM !== 'dumb'
}
