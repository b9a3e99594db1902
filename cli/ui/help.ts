import type { Paint } from '../print/paint.ts'
import { cutStyled } from '../print/styled.ts'
import { displayWidth, pad } from '../print/width.ts'
import { HELP } from './theme.ts'

const KEY_WIDTH = 13
/** From that width on, sections stand side by side. */
const TWO_COLUMNS = 120

/** Every key, section by section; without titles where they do not fit. */
export function drawHelp(columns: number, rows: number, paint: Paint): string[] {
  const sections = HELP.map(({ title, keys }) => [
    paint('bold', title),
    ...keys.map(([key, does]) => `  ${paint('cyan', pad(key, KEY_WIDTH))} ${does}`),
  ])
  if (columns < TWO_COLUMNS) {
    const whole = sections.flat()
    const shown = whole.length <= rows ? whole : sections.flatMap(([, ...keys]) => keys)
    return shown.map((row) => cutStyled(row, columns))
  }
  const half = Math.floor(columns / 2)
  const [services = [], log = [], everywhere = []] = sections
  const left = [...services, ...everywhere]
  return Array.from({ length: Math.max(left.length, log.length) }, (_, index) => {
    const cell = cutStyled(left[index] ?? '', half - 2)
    return cell + ' '.repeat(half - displayWidth(cell)) + cutStyled(log[index] ?? '', columns - half)
  })
}
