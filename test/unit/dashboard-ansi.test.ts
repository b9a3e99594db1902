import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plainText, segmentsOf } from '../../dashboard/log/ansi.ts'

const shown = (text: string) =>
  segmentsOf(text).map(({ text: part, className, colour, background }) =>
    [part, className, colour, background].filter((each) => each !== null && each !== ''),
  )

test('the sixteen colours are classes, others are colours', () => {
  expect(shown('\u001b[31mred\u001b[0m plain')).toEqual([['red', 'ansi-1'], [' plain']])
  expect(shown('\u001b[1;92mok\u001b[22mthin')).toEqual([
    ['ok', 'ansi-bold ansi-10'],
    ['thin', 'ansi-10'],
  ])
  expect(shown('\u001b[41mon\u001b[49moff')).toEqual([['on', 'ansi-on-1'], ['off']])
  expect(shown('\u001b[38;5;208morange\u001b[39m.')).toEqual([['orange', 'rgb(255 135 0)'], ['.']])
  expect(shown('\u001b[38;5;9mbright')).toEqual([['bright', 'ansi-9']])
  expect(shown('\u001b[48;2;1;2;3mtrue')).toEqual([['true', 'rgb(1 2 3)']])
  expect(shown('\u001b[38;2;1;2;3;4mfour')).toEqual([['four', 'ansi-underline', 'rgb(1 2 3)']])
  expect(shown('\u001b[31;7mturned')).toEqual([['turned', 'ansi-inverse ansi-on-1']])
  expect(shown('\u001b[31ma\u001b[mb')).toEqual([['a', 'ansi-1'], ['b']])
})

test('what is no colour is taken out: cursor moves, titles, links, clipboard, broken ends', () => {
  const lines = {
    '\u001b[2J\u001b[1;1Hhome': 'home',
    '\u001b]0;title\u0007text': 'text',
    '\u001b]8;;http://evil.example\u001b\\link\u001b]8;;\u001b\\': 'link',
    '\u001b]52;c;AAAA\u0007x': 'x',
    '\u001bPq#0\u001b\\sixel': 'sixel',
    '\u009b31mc1': 'c1',
    'cut\u001b[3': 'cut',
    'cut\u001b': 'cut',
    '10 %\r50 %\r': '50 %',
    'tab\tstays': 'tab\tstays',
    'left\u202eright': 'leftright',
  }
  for (const [text, plain] of Object.entries(lines)) {
    expect(plainText(text)).toBe(plain)
    expect(
      segmentsOf(text)
        .map((segment) => segment.text)
        .join(''),
    ).toBe(plain)
  }
})

test('whatever comes: the segments are the plain text, styled by known classes and plain colours alone', () => {
  const parts = fc.constantFrom(
    '\u001b',
    '\u001b[',
    '\u009b',
    '\u001b]',
    'm',
    ';',
    '38',
    '2',
    '5',
    '999',
    ':',
    '<b>',
    'url(x)',
    '\u0007',
    '\r',
    'a',
  )
  const text = fc.oneof(
    fc.array(parts, { maxLength: 30 }).map((all) => all.join('')),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(text, (line) => {
      const segments = segmentsOf(line)
      expect(segments.map((segment) => segment.text).join('')).toBe(plainText(line))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be left
      expect(plainText(line)).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
      for (const { className, colour, background } of segments) {
        expect(className).toMatch(/^(ansi-[a-z0-9-]+( |$))*$/)
        for (const each of [colour, background])
          if (each !== null) expect(each).toMatch(/^rgb\(\d+ \d+ \d+\)$/)
      }
    }),
  )
})
