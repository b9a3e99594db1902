import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Line, LogBuffer, matcherOf } from '../../dashboard/log/buffer.ts'
import { ROW_HEIGHT, Rows } from '../../dashboard/log/rows.ts'
import { nextMatch } from '../../dashboard/log/search.ts'
import type { LogLine } from '../../proxy/protocol.ts'

const line = (text: string, offset: number, about: Partial<LogLine> = {}): LogLine => ({
  at: '2026-01-01T12:00:00.000Z',
  project: 'shop',
  service: 'api',
  generation: 1,
  offset,
  text,
  ...about,
})
const shown = (buffer: LogBuffer): string[] => buffer.shown.map(({ plain }) => plain)

test('a filter is text in any case, a regular expression between slashes, a generation, a level', () => {
  const buffer = new LogBuffer()
  const texts = ['GET /a.b 200', 'Error: broken', 'warning: slow', 'GET /aXb 200']
  buffer.append(texts.map((text, index) => line(text, index, { generation: 1 + (index >> 1) })))
  const with_ = (filter: Partial<Parameters<LogBuffer['filter']>[0]>): string[] => {
    buffer.filter({ text: '', generation: null, level: 'all', ...filter })
    return shown(buffer)
  }
  expect(with_({ text: 'a.B' })).toEqual(['GET /a.b 200'])
  expect(with_({ text: '/a.b/' })).toEqual(['GET /a.b 200', 'GET /aXb 200'])
  expect(with_({ generation: 2 })).toEqual(['warning: slow', 'GET /aXb 200'])
  expect(with_({ level: 'errors' })).toEqual(['Error: broken'])
  expect(with_({ level: 'warnings' })).toEqual(['Error: broken', 'warning: slow'])
  expect(with_({ text: 'nothing' })).toEqual([])
  // What comes later goes through the same filter.
  buffer.append([line('nothing new', 0, { generation: 3 })])
  expect(shown(buffer)).toEqual(['nothing new'])
  expect(matcherOf('/[/')?.source).toBe('\\/\\[\\/')
})

test('a log keeps its last 100,000 lines, and clearing hides what is there by now', () => {
  const buffer = new LogBuffer()
  for (let chunk = 0; chunk < 12; chunk += 1) {
    const from = chunk * 10_000
    buffer.append(Array.from({ length: 10_000 }, (_, index) => line(`${from + index}`, from + index)))
  }
  expect(buffer.size).toBeLessThanOrEqual(110_000)
  expect(buffer.shown.at(-1)?.text).toBe('119999')
  buffer.clear()
  expect(buffer.shown).toEqual([])
  buffer.append([line('new', 120_000)])
  expect(shown(buffer)).toEqual(['new'])
})

test('a stream that is begun again repeats nothing, and lines keep their keys', () => {
  const buffer = new LogBuffer()
  buffer.append([line('a', 0), line('b', 2)])
  const keys = buffer.shown.map(({ key }) => key)
  buffer.append([line('a', 0), line('b', 2), line('c', 4), line('first', 0, { generation: 2 })])
  expect(shown(buffer)).toEqual(['a', 'b', 'c', 'first'])
  expect(buffer.shown.map(({ key }) => key).slice(0, 2)).toEqual(keys)
})

const keyed = (...keys: number[]): Line[] =>
  keys.map((key) => ({ key, at: '', generation: 1, text: `${key}`, plain: `${key}` }))

test('every row begins where the one before it ends, whatever was measured of them', () => {
  const lengths = fc.array(fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }), { minLength: 1 })
  fc.assert(
    fc.property(lengths, fc.double({ min: 0, max: 1, noNaN: true }), (measured, part) => {
      const lines = keyed(...measured.map((_, index) => index * 3 + 1))
      const heights = new Map(
        measured.flatMap((height, index) => (height === undefined ? [] : [[index * 3 + 1, height] as const])),
      )
      const rows = new Rows(lines, heights)
      for (const [index, height] of measured.entries())
        expect(rows.start(index + 1) - rows.start(index)).toBe(height ?? ROW_HEIGHT)
      const y = rows.total * part
      const index = rows.indexAt(y)
      expect(rows.start(index)).toBeLessThanOrEqual(y)
      if (y < rows.total) expect(rows.start(index + 1)).toBeGreaterThan(y)
      // A line that the filter let go is taken for the next one.
      expect(rows.indexOf(index * 3)).toBe(index)
      expect(rows.indexOf(index * 3 + 1)).toBe(index)
    }),
  )
})

test('a search goes to the next match, upwards too, and round', () => {
  const lines = keyed(3, 14, 25, 34, 45)
  const fours = /4/gi
  expect(nextMatch(lines, fours, 3, true)).toBe(14)
  expect(nextMatch(lines, fours, 14, true)).toBe(34)
  expect(nextMatch(lines, fours, 45, true)).toBe(14)
  expect(nextMatch(lines, fours, 34, false)).toBe(14)
  expect(nextMatch(lines, fours, 3, false)).toBe(45)
  expect(nextMatch(lines, fours, Number.POSITIVE_INFINITY, false)).toBe(45)
  expect(nextMatch(lines, /9/gi, 3, true)).toBe(null)
})
