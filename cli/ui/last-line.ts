import type { Paint } from '../print/paint.ts'
import { cutStyled } from '../print/styled.ts'
import { displayWidth, truncate } from '../print/width.ts'
import type { ScreenState } from './keys.ts'
import type { Typing } from './keys-typing.ts'
import type { ProjectView } from './project-store.ts'
import { formatKeyLine, MARKS } from './theme.ts'

/** What can be done now: a question, what is typed, a message, or the keys. */
export function drawLastLine(
  view: ProjectView,
  state: ScreenState,
  isLeased: boolean,
  columns: number,
  paint: Paint,
): string {
  if (view.isLeaving) return paint('yellow', truncate('ending the services · ^C again: at once', columns))
  if (view.prompt) {
    const choices = view.prompt.choices.map(({ label }) => label).join('  ')
    // The choices have to be seen, the question as far as there is room.
    const question = truncate(view.prompt.question, Math.max(0, columns - displayWidth(choices) - 2))
    return cutStyled(`${paint('yellow', question)}  ${paint('bold', choices)}`, columns)
  }
  if (state.typing) return drawTyping(state.typing, columns)
  if (state.message) return paint('yellow', truncate(state.message, columns))
  return formatKeyLine(state.mode, columns, isLeased, paint)
}

const SIGNS: Record<Typing['what'], string> = { search: '/', filter: '&', command: ':' }

/** Of a text that is too long, the end: there the cursor is. */
function drawTyping({ what, text }: Typing, columns: number): string {
  let shown = text
  while (shown !== '' && displayWidth(shown) > columns - 2) shown = shown.slice(1)
  return `${SIGNS[what]}${shown}${MARKS.cursor}`
}
