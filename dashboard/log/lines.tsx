import {
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import { plural } from '../model/words.ts'
import type { Line } from './buffer.ts'
import { LogRow } from './row.tsx'
import { ROW_HEIGHT, Rows } from './rows.ts'

/** px from the end that count as the end for somebody who scrolls down. */
const NEAR = 24
/** Rows beyond each edge of what is seen. */
const BEYOND = 20
/** They go up. */
const UP_KEYS = new Set(['ArrowUp', 'PageUp', 'Home'])

interface LinesProps {
  lines: readonly Line[]
  /** What is said where there is no line. */
  empty: string
  matcher: RegExp | null
  /** Key of the line that a search is at. */
  found: number | null
  isWrapped: boolean
  isFollowing: boolean
  setFollowing(is: boolean): void
  /** Key of the first line that is seen. */
  top: RefObject<number>
}

/** Some of very many lines. It follows the end until somebody scrolls up, and then keeps its place. */
export function Lines(props: LinesProps) {
  const { lines, empty, matcher, found, isWrapped, isFollowing, setFollowing, top } = props
  const scroller = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 0, width: 0 })
  const [seen, setSeen] = useState(0)
  const { rows, measure } = useRows(lines, isWrapped, view.width)
  const newest = lines.at(-1)?.key ?? 0
  /** Where it was scrolled to when last looked, and where the first line that is seen began then. */
  const place = useRef({ scrolled: 0, start: 0 })
  const wasFollowing = useRef(false)

  const pause = (): void => {
    if (!isFollowing) return
    setSeen(newest)
    setFollowing(false)
  }
  const look = (element: HTMLElement): void => {
    const index = rows.indexAt(element.scrollTop)
    top.current = lines[index]?.key ?? 0
    place.current = { scrolled: element.scrollTop, start: rows.start(index) }
    setView((before) => (before.top === element.scrollTop ? before : { ...before, top: element.scrollTop }))
  }

  useEffect(() => {
    const element = scroller.current
    if (!element) return
    const observer = new ResizeObserver(() =>
      setView((before) => ({ ...before, height: element.clientHeight, width: element.clientWidth })),
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useLayoutEffect(() => {
    const element = scroller.current
    if (!element) return
    if (isWrapped && measure(element)) return
    const { scrolled, start } = place.current
    const end = element.scrollHeight - element.clientHeight
    // A list that has become shorter has been moved by the browser already. (Heights are told in whole px.)
    const isCut = scrolled > end + 1
    if (!isFollowing) {
      // What is above has become more, or less: the line that was first stays first.
      const index = rows.indexOf(top.current)
      const from = isCut ? scrolled : element.scrollTop
      const height = rows.start(index + 1) - rows.start(index)
      const within = from === scrolled ? Math.min(from - start, height - 2) : from - start
      if (rows.start(index) !== start) element.scrollTop = rows.start(index) + within
    } else if (wasFollowing.current && element.scrollTop < scrolled - 1 && !isCut) {
      // Somebody scrolled up and the browser has not told yet: it wins.
      return pause()
    } else element.scrollTop = end
    wasFollowing.current = isFollowing
    look(element)
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each line that is found
  useEffect(() => {
    const element = scroller.current
    if (found === null || !element) return
    element.scrollTop = rows.start(rows.indexOf(found)) - element.clientHeight / 3
  }, [found])

  const onScroll = (): void => {
    const element = scroller.current
    if (!element) return
    const { scrolled } = place.current
    const left = element.scrollHeight - element.clientHeight - element.scrollTop
    if (element.scrollTop > scrolled && left < NEAR) setFollowing(true)
    else if (element.scrollTop < scrolled && left > 1) pause()
    look(element)
  }
  const onKeyDown = ({ key }: KeyboardEvent): void => {
    if (UP_KEYS.has(key)) pause()
  }

  const first = Math.max(0, rows.indexAt(view.top) - BEYOND)
  const last = Math.min(lines.length, rows.indexAt(view.top + view.height) + 1 + BEYOND)
  const missed = isFollowing ? 0 : lines.length - rows.indexOf(seen + 1)
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
        onKeyDown={onKeyDown}
        onWheel={({ deltaY }) => {
          if (deltaY < 0 && place.current.scrolled > 0) pause()
        }}
      >
        <div className="log-sheet" style={{ height: rows.total }}>
          {lines.slice(first, last).map((line, offset) => {
            const index = first + offset
            const isFirst = lines[index - 1]?.generation !== line.generation
            return (
              <div
                key={line.key}
                data-key={line.key}
                className={classesOf(isFirst && index > 0, line.key === found)}
                style={{ transform: `translateY(${rows.start(index)}px)` }}
              >
                <LogRow line={line} isFirst={isFirst} matcher={matcher} />
              </div>
            )
          })}
        </div>
        {lines.length === 0 && <p className="empty">{empty}</p>}
      </div>
      {!isFollowing && (
        <button type="button" className="log-follow" onClick={() => setFollowing(true)}>
          {missed > 0 ? `${plural(missed, 'new line')} ↓` : 'Paused · follow ↓'}
        </button>
      )}
    </div>
  )
}

/** Heights of wrapped rows are known once they were drawn, and until the width changes. */
function useRows(
  lines: readonly Line[],
  isWrapped: boolean,
  width: number,
): { rows: Rows; measure(element: HTMLElement): boolean } {
  // biome-ignore lint/correctness/useExhaustiveDependencies: another width makes other heights
  const heights = useMemo(() => new Map<number, number>(), [isWrapped, width])
  const [version, setVersion] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the map's content has a version
  const rows = useMemo(() => new Rows(lines, heights), [lines, heights, version])
  /** Whether a row turned out to be of another height, so that all are placed again. */
  const measure = (element: HTMLElement): boolean => {
    let isNews = false
    for (const row of element.querySelectorAll<HTMLElement>('.log-line')) {
      const [key, height] = [Number(row.dataset.key), row.offsetHeight]
      if ((heights.get(key) ?? ROW_HEIGHT) === height) continue
      heights.set(key, height)
      isNews = true
    }
    if (isNews) setVersion((before) => before + 1)
    return isNews
  }
  return { rows, measure }
}

const classesOf = (isFirst: boolean, isFound: boolean): string =>
  ['log-line', isFirst ? 'first' : '', isFound ? 'found' : ''].filter(Boolean).join(' ')
