import { describe, expect, test } from 'vitest'
import { createPaint, wantsColour } from '../../cli/print/paint.ts'
import { formatPath } from '../../cli/print/paths.ts'
import { sanitizeLine } from '../../cli/print/sanitize.ts'
import { formatOutcome, formatStatus } from '../../cli/print/service.ts'
import { suggest } from '../../cli/print/suggest.ts'
import { formatTable } from '../../cli/print/table.ts'
import { formatBytes, formatDuration, parseDuration } from '../../cli/print/units.ts'
import { displayWidth, truncate } from '../../cli/print/width.ts'
import { project, service } from './cli-fake-daemon.ts'

const plain = createPaint(false)

describe('a service cannot drive the terminal of the person who reads its log', () => {
  const keep = { colours: true }
  test.each([
    ['a title', '\u001b]0;evil\u0007text', 'text'],
    ['the clipboard', '\u001b]52;c;ZXZpbA==\u001b\\text', 'text'],
    ['a control string that never ends', 'text\u001b]0;evil', 'text'],
    ['a cursor move', 'a\u001b[2Jb\u001b[10;10Hc', 'abc'],
    ['a query that the terminal would answer', '\u001b[6n\u001b[ctext', 'text'],
    ['a device string', '\u001bP$qm\u001b\\text', 'text'],
    ['the 8-bit forms', '\u009b2Jte\u009d0;evil\u009cxt', 'text'],
    ['a private SGR look-alike', '\u001b[>4;2mtext', 'text'],
    ['a short escape', '\u001bctext\u001b(0', 'text'],
    ['a broken one at the end', 'text\u001b[', 'text'],
    ['a lone ESC', 'text\u001b', 'text'],
    ['bell, backspace, NUL', 'te\u0007x\b\u0000t', 'text'],
    ['a bidirectional override', 'te\u202ext', 'text'],
  ])('%s', (_, input, output) => {
    expect(sanitizeLine(input, keep)).toBe(output)
  })

  test('a carriage return leaves what a terminal would show last', () => {
    expect(sanitizeLine('10 %\r50 %\r100 %\r', keep)).toBe('100 %')
  })

  test('colours stay, and never colour what follows the line', () => {
    expect(sanitizeLine('\u001b[1;31mred', keep)).toBe('\u001b[1;31mred\u001b[0m')
    expect(sanitizeLine('\u001b[38:2::1:2:3mred', keep)).toBe('\u001b[38:2::1:2:3mred\u001b[0m')
  })

  test('without colours none is left', () => {
    expect(sanitizeLine('\u001b[1;31mred\u001b[0m', { colours: false })).toBe('red')
  })

  test('tabs keep their columns, whatever the colours', () => {
    expect(sanitizeLine('\u001b[31mab\tc', { colours: true })).toBe('\u001b[31mab      c\u001b[0m')
  })
})

describe('a table fits the terminal', () => {
  const columns = [{ title: 'NAME', least: 4 }, { title: 'STATE' }, { title: 'WHY', least: 6 }]
  const rows = [
    ['web', 'ready', 'first connection, a long while ago, 412 ms'],
    ['a-very-long-service-name', 'held', 'nothing'],
  ]

  test.each([100, 60, 40, 20, 8, 1])('at %i columns no line is wider', (width) => {
    for (const line of formatTable(columns, rows, width))
      expect(displayWidth(line)).toBeLessThanOrEqual(width)
  })

  test('nothing is cut where it need not be', () => {
    expect(formatTable(columns, rows, Number.POSITIVE_INFINITY)).toEqual([
      'NAME                      STATE  WHY',
      'web                       ready  first connection, a long while ago, 412 ms',
      'a-very-long-service-name  held   nothing',
    ])
  })

  test('the column that may not shrink is whole at 40', () => {
    expect(formatTable(columns, rows, 40).join('\n')).toContain('ready')
  })

  test('wide characters count as two columns', () => {
    const [, line = ''] = formatTable([{ title: 'A' }, { title: 'B' }], [['日本', 'x']], 80)
    expect(line).toBe('日本  x')
    expect(truncate('日本語', 5)).toBe('日本…')
    expect(truncate('日本語', 4)).toBe('日…')
  })
})

test('the status table looks as it is documented', () => {
  const web = service('web', {
    state: 'ready',
    generation: 1,
    pid: 48211,
    reason: { code: 'first-connection', message: 'first connection, 412 ms', hint: null },
  })
  expect(formatStatus(project([web]), [web], 120, plain)).toEqual([
    'SERVICE  STATE  URL                    GEN  PID    WHY',
    'web      ready  http://localhost:3001  1    48211  first connection, 412 ms',
  ])
})

test('the receipt of a swap is one line', () => {
  const receipt = {
    from: 1,
    to: 2,
    cause: 'src/api.js',
    policy: 'hold',
    ms: 48,
    queued: 3,
    moved: 0,
    cut: 0,
  } as const
  const api = service('api', { state: 'ready', generation: 2, lastSwap: receipt })
  const stopped = { ...api, state: 'stopped' } as const
  expect(formatOutcome(stopped, plain)).toBe('✓ api stopped · generation 2 · nothing has asked yet')
  expect(formatOutcome({ ...api, state: 'swapping' }, plain)).toMatch(/^◑ api swapping/)
  expect(formatOutcome(api, plain)).toBe('✓ api ready · generation 2 · src/api.js · 48 ms · 0 cut')
})

test('sizes and times read as people write them', () => {
  expect([0, 999, 1_000, 9_960, 51_200_000, 999_999, 3e12].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '10 kB',
    '51 MB',
    '1.0 MB',
    '3.0 TB',
  ])
  expect([0, 412, 999.7, 1530, 59_990, 90_000, 3_660_000].map(formatDuration)).toEqual([
    '0 ms',
    '412 ms',
    '1.0 s',
    '1.5 s',
    '1m 0s',
    '1m 30s',
    '1h 1m',
  ])
  expect(['500ms', '30s', '1.5m', '2h', '7'].map((text) => parseDuration(text))).toEqual(
    [500, 30_000, 90_000, 7_200_000, 7_000].map((value) => ({ ok: true, value })),
  )
  expect(parseDuration('soon')).toMatchObject({ ok: false, failure: { code: 'usage' } })
})

test('paths are relative below the folder, with ~ below home', () => {
  expect(formatPath('/home/ann/shop/src/a.js', '/home/ann/shop', '/home/ann')).toBe('src/a.js')
  expect(formatPath('/home/ann/other', '/home/ann/shop', '/home/ann')).toBe('~/other')
  expect(formatPath('/home/annabel', undefined, '/home/ann')).toBe('/home/annabel')
  expect(formatPath('/etc/hosts', undefined, '/')).toBe('/etc/hosts')
})

test('a typo finds its word, nonsense finds nothing', () => {
  const names = ['up', 'status', 'restart', 'start', 'stop']
  expect(suggest('restrat', names)).toBe('restart')
  expect(suggest('satus', names)).toBe('status')
  expect(suggest('frobnicate', names)).toBeNull()
})

test('colours follow --no-color, NO_COLOR, FORCE_COLOR, then the terminal', () => {
  const terminal = { isTTY: true }
  expect(wantsColour(terminal, {})).toBe(true)
  expect(wantsColour({}, {})).toBe(false)
  expect(wantsColour({}, { FORCE_COLOR: '1' })).toBe(true)
  expect(wantsColour(terminal, { FORCE_COLOR: '0' })).toBe(false)
  expect(wantsColour(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false)
  expect(wantsColour(terminal, { NO_COLOR: '' })).toBe(true)
  expect(wantsColour(terminal, { TERM: 'dumb' })).toBe(false)
  expect(wantsColour(terminal, { FORCE_COLOR: '1' }, false)).toBe(false)
})
