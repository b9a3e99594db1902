import { duration, nameOf, plural, timeOfDay } from '../model/words.ts'
import { End } from './connections.tsx'
import type { Cascade, Step } from './graph.ts'

/** Shown of them: the last ones are what somebody just did. */
const SHOWN = 5

/** "One request started four servers": who woke whom, and when, on one scale of time. */
export function Cascades({ cascades }: { cascades: Cascade[] }) {
  if (cascades.length === 0) return null
  return (
    <section aria-labelledby="cascades-title">
      <h3 id="cascades-title">What a connection started</h3>
      {cascades.slice(0, SHOWN).map((cascade) => (
        <article key={cascade.key} className="cascade" aria-label={titleOf(cascade)}>
          <header>
            <h4>{titleOf(cascade)}</h4>
            <time className="soft tabular" dateTime={cascade.at}>
              {timeOfDay(cascade.at)}
            </time>
          </header>
          <ol>
            {cascade.steps.map((step) => (
              <Bar key={`${step.wake.service} ${step.wake.generation}`} step={step} total={cascade.ms} />
            ))}
          </ol>
        </article>
      ))}
    </section>
  )
}

function Bar({ step: { wake, depth, after }, total }: { step: Step; total: number }) {
  const { service, generation, ms } = wake
  const percent = (value: number): string => `${total > 0 ? Math.min(100, (100 * value) / total) : 0}%`
  return (
    <li>
      <span className="cascade-who" style={{ paddingLeft: `${depth * 1.1}rem` }}>
        <End id={service} /> <span className="soft tabular">#{generation}</span>
      </span>
      <span className="cascade-scale" aria-hidden="true">
        <span
          className={ms === null ? 'cascade-bar never' : 'cascade-bar'}
          style={{ left: percent(after), width: ms === null ? percent(total - after) : percent(ms) }}
        />
      </span>
      <span className="cascade-ms tabular">
        <span className="visually-hidden">
          {`woken by ${wake.from === null ? 'somebody' : nameOf(wake.from)}${after > 0 ? ` after ${duration(after)}` : ''}, `}
        </span>
        {ms === null ? (
          'not ready'
        ) : (
          <>
            <span className="wide">ready in</span> {duration(ms)}
          </>
        )}
      </span>
    </li>
  )
}

function titleOf({ from, steps, ms }: Cascade): string {
  const who = from === null ? 'A connection' : nameOf(from)
  return `${who} started ${plural(steps.length, 'server')} in ${duration(ms)}`
}
