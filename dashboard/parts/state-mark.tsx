import type { ServiceState } from '../../proxy/protocol.ts'
import { MEANINGS, SYMBOLS } from '../model/words.ts'

/** A state as symbol, colour and word. */
export function StateMark({ state }: { state: ServiceState }) {
  return (
    <span className={`state state-${state}`} title={MEANINGS[state]}>
      <span aria-hidden="true" className="state-symbol">
        {SYMBOLS[state]}
      </span>
      <span>{state}</span>
    </span>
  )
}
