import type { ServiceStatus } from '../../proxy/protocol.ts'
import type { Paint } from '../print/paint.ts'
import { cutStyled } from '../print/styled.ts'
import { pad } from '../print/width.ts'
import type { Typing } from './keys-typing.ts'
import { commandsFor, complete } from './palette.ts'
import { MARKS } from './theme.ts'

const MOST_OFFERS = 8

/** The commands that complete what is typed, the chosen one among them. */
export function drawOffers(
  typing: Typing | null,
  services: ServiceStatus[],
  rows: number,
  columns: number,
  paint: Paint,
): string[] {
  if (typing?.what !== 'command') return []
  const offered = complete(typing.text, commandsFor(services))
  const count = Math.max(0, Math.min(MOST_OFFERS, rows))
  const start = Math.max(0, Math.min(typing.choice - count + 1, offered.length - count))
  const width = Math.max(...offered.map(({ text }) => text.length)) + 2
  return offered.slice(start, start + count).map(({ text, does }, index) => {
    const isChosen = start + index === typing.choice
    const line = `${isChosen ? MARKS.selected : MARKS.unselected} ${pad(text, width)}`
    return cutStyled((isChosen ? paint('bold', line) : line) + paint('dim', does), columns)
  })
}
