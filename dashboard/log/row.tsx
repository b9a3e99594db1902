import { memo } from 'react'
import { timeOfDay } from '../model/words.ts'
import { type Segment, segmentsOf } from './ansi.ts'
import type { Line } from './buffer.ts'

/** One line: when, which generation, what. */
export const LogRow = memo(function LogRow({
  line,
  isFirst,
  matcher,
}: {
  line: Line
  /** Of its generation, among the lines shown. */
  isFirst: boolean
  matcher: RegExp | null
}) {
  return (
    <>
      <span className="log-time" title={line.at}>
        {timeOfDay(line.at)}
      </span>
      <span className="log-generation" title={`generation ${line.generation}`}>
        {isFirst ? `#${line.generation}` : ''}
      </span>
      <span className="log-text">
        <LogText text={line.text} matcher={matcher} />
      </span>
    </>
  )
})

/** What a service printed, in its colours. */
export function LogText({ text, matcher }: { text: string; matcher: RegExp | null }) {
  return marked(segmentsOf(text), matcher).map(({ text, className, colour, background, isMatch }, index) => {
    const style =
      colour || background ? { color: colour ?? '', backgroundColor: background ?? '' } : undefined
    const key = `${index}`
    if (isMatch)
      return (
        <mark key={key} className={className}>
          {text}
        </mark>
      )
    return className === '' && style === undefined ? (
      text
    ) : (
      <span key={key} className={className} style={style}>
        {text}
      </span>
    )
  })
}

/** Cut where a match begins or ends: it may go over several colours. */
function marked(segments: Segment[], matcher: RegExp | null): (Segment & { isMatch?: boolean })[] {
  if (matcher === null) return segments
  const plain = segments.map(({ text }) => text).join('')
  const ranges = [...plain.matchAll(matcher)].map(
    (match) => [match.index, match.index + match[0].length] as const,
  )
  if (ranges.length === 0) return segments
  const cuts = [...new Set(ranges.flat())].toSorted((a, b) => a - b)
  let at = 0
  return segments.flatMap((segment) => {
    const [from, to] = [at, at + segment.text.length]
    at = to
    const bounds = [from, ...cuts.filter((cut) => cut > from && cut < to), to]
    return bounds.slice(1).map((end, index) => {
      const start = bounds[index] ?? from
      const isMatch = ranges.some(([first, last]) => first <= start && end <= last)
      return { ...segment, text: plain.slice(start, end), isMatch }
    })
  })
}
