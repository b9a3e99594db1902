import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useKeys } from '../keys.ts'
import { plural } from '../model/words.ts'
import { setQuery, useQueryText, useRoute } from '../route.ts'
import { useStore } from '../store.ts'
import { type Level, type Line, type LogBuffer, matcherOf } from './buffer.ts'
import { LogRow } from './row.tsx'
import { useLog } from './use-log.ts'

/** px; a line that is wrapped is measured. */
const LINE_HEIGHT = 20
/** px from the end that still count as the end. */
const NEAR = 24
const WRAP_KEY = 'devsock-wrap'

/** The log of a service: followed until somebody scrolls up, filtered by what the address says. */
export function LogView({ service }: { service: string }) {
  const { buffer, lines } = useLog(service)
  const { query } = useRoute()
  const [text, setText] = useQueryText('q')
  const generation = Number(query.get('generation')) || null
  const level = levelOf(query.get('level'))
  const [isWrapped, setWrapped] = useState(() => sessionStorage.getItem(WRAP_KEY) === '1')
  const [isFollowing, setFollowing] = useState(true)
  const search = useRef<HTMLInputElement>(null)
  useEffect(() => buffer.filter({ text, generation, level }), [buffer, text, generation, level])
  const matcher = useMemo(() => matcherOf(text), [text])

  const wrap = (): void => {
    sessionStorage.setItem(WRAP_KEY, isWrapped ? '0' : '1')
    setWrapped(!isWrapped)
  }
  useKeys({
    '/': () => search.current?.focus(),
    w: wrap,
    c: () => buffer.clear(),
    End: () => setFollowing(true),
  })

  return (
    <section className="log" aria-label="log">
      <div className="log-bar">
        <input
          ref={search}
          type="search"
          placeholder="filter, or /regex/"
          aria-label="filter lines"
          value={text}
          onChange={({ target }) => setText(target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return
            setText('')
            event.currentTarget.blur()
          }}
        />
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
          {text === '' && level === 'all' && generation === null
            ? plural(lines.length, 'line')
            : `${lines.length} of ${plural(buffer.size, 'line')}`}
        </span>
        <span className="log-tools">
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
        isEmpty={buffer.size === 0}
        matcher={matcher}
        isWrapped={isWrapped}
        isFollowing={isFollowing}
        setFollowing={setFollowing}
      />
    </section>
  )
}

interface LinesProps {
  lines: Line[]
  isEmpty: boolean
  matcher: RegExp | null
  isWrapped: boolean
  isFollowing: boolean
  setFollowing(is: boolean): void
}

function Lines({ lines, isEmpty, matcher, isWrapped, isFollowing, setFollowing }: LinesProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState(0)
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: (index) => lines[index]?.key ?? index,
    overscan: 20,
  })
  const height = virtualizer.getTotalSize()
  const newest = lines.at(-1)?.key ?? 0

  // biome-ignore lint/correctness/useExhaustiveDependencies: a longer or higher list is scrolled again
  useLayoutEffect(() => {
    const element = scroller.current
    if (isFollowing && element) element.scrollTop = element.scrollHeight
  }, [isFollowing, height, newest])
  // biome-ignore lint/correctness/useExhaustiveDependencies: sizes that were measured are of the other way
  useEffect(() => virtualizer.measure(), [isWrapped])

  const onScroll = (): void => {
    const element = scroller.current
    if (!element) return
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR
    if (isAtEnd !== isFollowing && !isAtEnd) setSeen(newest)
    setFollowing(isAtEnd)
  }
  const missed = isFollowing ? 0 : lines.length - lines.findLastIndex(({ key }) => key <= seen) - 1

  return (
    <div className="log-frame">
      <div
        ref={scroller}
        className={isWrapped ? 'log-lines wrapped' : 'log-lines'}
        role="log"
        aria-label="lines"
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
        tabIndex={0}
        onScroll={onScroll}
      >
        <div className="log-sheet" style={{ height }}>
          {virtualizer.getVirtualItems().map(({ index, key, start }) => {
            const line = lines[index]
            if (line === undefined) return null
            const isFirst = lines[index - 1]?.generation !== line.generation
            return (
              <div
                key={String(key)}
                ref={isWrapped ? virtualizer.measureElement : undefined}
                data-index={index}
                className={isFirst && index > 0 ? 'log-line first' : 'log-line'}
                style={{ transform: `translateY(${start}px)` }}
              >
                <LogRow line={line} isFirst={isFirst} matcher={matcher} />
              </div>
            )
          })}
        </div>
        {lines.length === 0 && (
          <p className="empty">
            {isEmpty ? 'Nothing yet. What the service prints appears here.' : 'No line passes the filter.'}
          </p>
        )}
      </div>
      {!isFollowing && (
        <button type="button" className="log-follow" onClick={() => setFollowing(true)}>
          {missed > 0 ? `${plural(missed, 'new line')} ↓` : 'Paused · follow ↓'}
        </button>
      )}
    </div>
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
