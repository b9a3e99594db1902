/** What is wrong with a service, below its row: why, what to do, who has its port, its last lines. */
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { formatOwner } from '../print/failure.ts'
import type { Paint } from '../print/paint.ts'
import { sanitizeLine } from '../print/sanitize.ts'
import { cutStyled } from '../print/styled.ts'
import { type LogWindow, plainText } from './log-window.ts'
import { MARKS } from './theme.ts'

export interface TroubleLook {
  columns: number
  paint: Paint
  colours: boolean
}

const LAST_LINES = 5
/** Among so many, those are looked for that say something. */
const LOOKED_AT = 30
/** Frames of the runtime itself, and what Node says last. */
const SAYS_NOTHING = /^\s*$|^\s+at .*\bnode:|^Node\.js v/

export const isTroubled = ({ state }: ServiceStatus): boolean => state === 'failed' || state === 'conflict'

/** At most `rows`, the most important first; none of a service that is well. */
export function drawTrouble(
  service: ServiceStatus,
  logs: LogWindow,
  rows: number,
  look: TroubleLook,
): string[] {
  if (!isTroubled(service)) return []
  const { columns, paint, colours } = look
  const { reason, sockets, name, generation } = service
  const safe = (text: string): string => sanitizeLine(text.replaceAll('\n', ' '), { colours: false })
  const owners = sockets.flatMap(({ address, owner }) => (owner ? [`${address}: ${formatOwner(owner)}`] : []))
  const hint = owners.length > 0 ? 'x: free the port, or go without' : reason.hint
  const lines = [
    ...(owners.length > 0 ? owners : [safe(reason.message)]).map((text) => paint('red', text)),
    ...(hint ? [paint('yellow', `→ ${safe(hint)}`)] : []),
    ...(service.state === 'failed'
      ? logs
          .lastOf(name, generation, LOOKED_AT)
          .filter((entry) => !SAYS_NOTHING.test(plainText(entry)))
          .slice(-LAST_LINES)
          .map(({ text }) => sanitizeLine(text, { colours }))
      : []),
  ]
  const room = Math.max(1, columns - 4)
  return lines
    .slice(0, Math.max(0, rows))
    .map((line) => `  ${paint('red', MARKS.within)} ${cutStyled(line, room)}`)
}
