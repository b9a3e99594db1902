import type { Wake } from '../../proxy/protocol.ts'
import type { Entry } from '../model/history.ts'
import { nameOf, receiptText, SYMBOLS, timeOfDay } from '../model/words.ts'
import { setQuery } from '../route.ts'
import { LastLines } from './last-lines.tsx'

interface TimelineProps {
  service: string
  entries: Entry[]
  wakes: Wake[]
}

/** What happened to a service, newest first. */
export function Timeline({ service, entries, wakes }: TimelineProps) {
  const lastFailure = entries.findLast(isFailure)
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
              {wokenBy(service, entry, wakes)}
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
            {isFailure(entry) && (
              <LastLines service={service} generation={entry.generation} isOpen={entry === lastFailure} />
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}

const isFailure = ({ kind, state, generation }: Entry): boolean =>
  generation > 0 && (kind === 'exit' || state === 'failed')

/** ` · by curl` */
function wokenBy(service: string, { kind, state, generation }: Entry, wakes: Wake[]): string {
  if (kind !== 'state' || state !== 'ready') return ''
  const wake = wakes.findLast((each) => each.service === service && each.generation === generation)
  return wake?.from ? ` · by ${nameOf(wake.from)}` : ''
}

const titleOf = ({ kind, state }: Entry): string =>
  kind === 'swap' ? 'swapped' : kind === 'exit' ? 'ended by itself' : state
