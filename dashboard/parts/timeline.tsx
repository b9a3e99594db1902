import type { Entry } from '../model/history.ts'
import { receiptText, SYMBOLS, timeOfDay } from '../model/words.ts'
import { setQuery } from '../route.ts'

/** What happened to a service, newest first. */
export function Timeline({ entries }: { entries: Entry[] }) {
  return (
    <section className="timeline" aria-label="timeline">
      {entries.length === 0 && (
        <p className="empty">Nothing has happened yet. The first connection starts a generation.</p>
      )}
      <ol reversed>
        {entries.toReversed().map((entry) => (
          <li key={`${entry.at} ${entry.kind} ${entry.state} ${entry.generation}`}>
            <time dateTime={entry.at}>{timeOfDay(entry.at)}</time>
            <span className={`state-symbol state-${entry.state}`} aria-hidden="true">
              {SYMBOLS[entry.state]}
            </span>
            <span className="what">
              <b>{titleOf(entry)}</b> {entry.receipt ? receiptText(entry.receipt) : entry.message}
              {entry.hint && entry.state === 'failed' && <span className="soft"> · {entry.hint}</span>}
            </span>
            {entry.generation > 0 && (
              <button
                type="button"
                className="quiet"
                title={`only the log of generation ${entry.generation}`}
                onClick={() => setQuery({ generation: String(entry.generation) })}
              >
                #{entry.generation}
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}

const titleOf = ({ kind, state }: Entry): string =>
  kind === 'swap' ? 'swapped' : kind === 'exit' ? 'ended by itself' : state
