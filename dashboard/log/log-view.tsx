import { useEffect, useMemo, useRef, useState } from 'react'
import { useKeys } from '../keys.ts'
import { plural } from '../model/words.ts'
import { setQuery, useQueryText, useRoute } from '../route.ts'
import { useStore } from '../store.ts'
import { type Level, type Line, type LogBuffer, matcherOf } from './buffer.ts'
import { Lines } from './lines.tsx'
import { nextMatch } from './search.ts'
import { useLog } from './use-log.ts'

const WRAP_KEY = 'devsock-wrap'

/** The log of a service: followed until somebody scrolls up, filtered or searched by what the address says. */
export function LogView({ service }: { service: string }) {
  const { buffer, lines, hasEarlier, loadEarlier } = useLog(service)
  const { query } = useRoute()
  const [text, setText] = useQueryText('q')
  const generation = Number(query.get('generation')) || null
  const level = levelOf(query.get('level'))
  /** All lines stay, and one goes from match to match. */
  const isSearching = query.get('context') === '1'
  const [isWrapped, setWrapped] = useState(() => sessionStorage.getItem(WRAP_KEY) === '1')
  const [isFollowing, setFollowing] = useState(true)
  const [found, setFound] = useState<number | null>(null)
  const search = useRef<HTMLInputElement>(null)
  const top = useRef(0)
  const filtered = isSearching ? '' : text
  useEffect(() => buffer.filter({ text: filtered, generation, level }), [buffer, filtered, generation, level])
  const matcher = useMemo(() => matcherOf(text), [text])

  const wrap = (): void => {
    sessionStorage.setItem(WRAP_KEY, isWrapped ? '0' : '1')
    setWrapped(!isWrapped)
  }
  const find = (isDown: boolean): void => {
    if (matcher === null || !isSearching) return
    const key = nextMatch(
      lines,
      matcher,
      found ?? (isFollowing ? Number.POSITIVE_INFINITY : top.current),
      isDown,
    )
    setFollowing(key === null && isFollowing)
    setFound(key)
  }
  useKeys({
    '/': () => search.current?.focus(),
    w: wrap,
    c: () => buffer.clear(),
    m: () => setQuery({ context: isSearching ? '' : '1' }),
    n: () => find(true),
    N: () => find(false),
    End: () => setFollowing(true),
  })

  return (
    <section className="log" aria-label="log">
      <div className="log-bar">
        <input
          ref={search}
          type="search"
          placeholder="text, or /regex/"
          aria-label="search lines"
          value={text}
          onChange={({ target }) => {
            setText(target.value)
            setFound(null)
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') return find(event.shiftKey)
            if (event.key !== 'Escape') return
            setText('')
            event.currentTarget.blur()
          }}
        />
        <button
          type="button"
          aria-pressed={!isSearching}
          title="hide the lines that do not match (m)"
          onClick={() => setQuery({ context: isSearching ? '' : '1' })}
        >
          Only matches
        </button>
        {isSearching && (
          <>
            <button
              type="button"
              aria-label="match before"
              title="match before (N, Enter)"
              disabled={matcher === null}
              onClick={() => find(false)}
            >
              ↑
            </button>
            <button
              type="button"
              aria-label="next match"
              title="next match (n, Shift+Enter)"
              disabled={matcher === null}
              onClick={() => find(true)}
            >
              ↓
            </button>
          </>
        )}
        <select
          aria-label="generation"
          value={generation ?? ''}
          onChange={({ target }) => setQuery({ generation: target.value })}
        >
          <option value="">all generations</option>
          {generationsOf(buffer, generation).map((number) => (
            <option key={number} value={number}>
              generation {number}
            </option>
          ))}
        </select>
        <select
          aria-label="level"
          value={level}
          onChange={({ target }) => setQuery({ level: target.value === 'all' ? '' : target.value })}
        >
          <option value="all">all levels</option>
          <option value="warnings">warnings and errors</option>
          <option value="errors">errors</option>
        </select>
        <span className="log-count">
          {filtered === '' && level === 'all' && generation === null
            ? plural(lines.length, 'line')
            : `${lines.length} of ${plural(buffer.size, 'line')}`}
        </span>
        <span className="log-tools">
          {hasEarlier && (
            <button
              type="button"
              title="read everything that is kept, up to 100,000 lines"
              onClick={loadEarlier}
            >
              Earlier lines
            </button>
          )}
          <button type="button" aria-pressed={isWrapped} onClick={wrap}>
            Wrap
          </button>
          <button type="button" onClick={() => buffer.clear()}>
            Clear
          </button>
          <CopyButton lines={lines} />
          <button type="button" onClick={() => download(service, lines)}>
            Download
          </button>
        </span>
      </div>
      <Lines
        lines={lines}
        top={top}
        found={found}
        empty={
          buffer.size === 0
            ? 'Nothing yet. What the service prints appears here.'
            : 'No line passes the filter.'
        }
        matcher={matcher}
        isWrapped={isWrapped}
        isFollowing={isFollowing}
        setFollowing={setFollowing}
      />
    </section>
  )
}

function CopyButton({ lines }: { lines: Line[] }) {
  const store = useStore()
  const copy = (): void => {
    navigator.clipboard.writeText(textOf(lines)).then(
      () => store.say('info', `${plural(lines.length, 'line')} copied`),
      () => store.say('error', 'the browser did not allow to copy'),
    )
  }
  return (
    <button type="button" onClick={copy}>
      Copy
    </button>
  )
}

/** What passes the filter, without colours. */
const textOf = (lines: Line[]): string => lines.map(({ plain }) => `${plain}\n`).join('')

function download(service: string, lines: Line[]): void {
  const url = URL.createObjectURL(new Blob([textOf(lines)], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${service.replaceAll('/', '-')}.log`
  link.click()
  URL.revokeObjectURL(url)
}

const levelOf = (text: string | null): Level => (text === 'warnings' || text === 'errors' ? text : 'all')

/** One that is asked for stays a choice while it has no line. */
const generationsOf = ({ generations }: LogBuffer, chosen: number | null): number[] =>
  chosen === null || generations.includes(chosen) ? generations : [...generations, chosen]
