// Longer than 400 lines: what the screen shows for each thing that happens, by one rig.
import { describe, expect, test } from 'vitest'
import type { StreamItem } from '../../cli/events.ts'
import { displayWidth } from '../../cli/print/width.ts'
import { LogWindow } from '../../cli/ui/log-window.ts'
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { project, service } from './cli-fake-daemon.ts'
import { show } from './cli-screen-rig.ts'

const SERVICES = [
  service('web', { state: 'ready', generation: 3, memory: 51_200_000 }),
  service('api', { reason: { code: 'held', message: 'nothing has asked yet', hint: 'curl it' } }),
]
const failed = (name: string, more: Partial<ServiceStatus> = {}): ServiceStatus =>
  service(name, {
    state: 'failed',
    generation: 1,
    reason: { code: 'exited', message: 'exit 1', hint: 'waits for a change in src/**' },
    ...more,
  })
const OWNER = { pid: 77, command: 'node old.js', cwd: '/srv', user: 'ann' }
const conflict = (name: string): ServiceStatus => {
  const [socket] = service(name).sockets
  return service(name, { state: 'conflict', sockets: socket ? [{ ...socket, owner: OWNER }] : [] })
}
const UP = '\u001b[A'
const DOWN = '\u001b[B'
const PAGE_UP = '\u001b[5~'
const ESCAPE = '\u001b'
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index}.`)

describe('the table', () => {
  test('shows state with a symbol, URL, generation and memory', async () => {
    const { terminal, shows } = show(SERVICES)
    await shows('› web')
    expect(terminal.text).toMatch(/› web +● ready +http:\/\/localhost:3001 +3 +51 MB/)
    expect(terminal.text).toMatch(/\n {2}api +○ held +http:\/\/localhost:3001 +- +-/)
    expect(terminal.lines[0]).toBe('shop · 1 held · 1 ready')
  })

  test('says below a service that failed why, what to do, and its last words', async () => {
    const { shows, log, terminal } = show([service('web'), failed('api')])
    log('api', 'before', 'Error: no such table', '    at db.js:3')
    await shows('  │ exit 1')
    // Another one is selected: a line of it is enough.
    expect(terminal.text).not.toContain('→ waits')
  })

  test('tells the one that is selected whole', async () => {
    const { shows, log, press } = show([service('web'), failed('api')])
    log('api', 'Error: no such table')
    await shows('› web')
    press('e')
    await shows('› api')
    await shows('│ → waits for a change in src/**')
    await shows('│ Error: no such table')
  })

  test('says who has the port', async () => {
    const { shows } = show([conflict('api')])
    await shows('│ localhost:3001: pid 77  node old.js  in /srv  (ann)')
    await shows('x: free the port')
  })
})

describe.each([
  [80, 24],
  [40, 24],
  [40, 10],
  [200, 60],
  [20, 5],
  [1, 1],
])('at %i×%i', (columns, rows) => {
  const many = Array.from({ length: 30 }, (_, index) =>
    index % 7 === 3 ? failed(`service-${index}`) : service(`service-number-${index}`),
  )
  test.each(['', 'l', '?', '\r', ':', '/', 'w', '&x'])(
    'nothing is wider or higher after %j',
    async (keys) => {
      const { terminal, press, log } = show(many, { columns, rows, colours: true })
      for (const line of numbered(100)) log('service-3', `日本 ${line} ${'x'.repeat(300)} \u001b[31mred\tx`)
      await expect.poll(() => terminal.text).not.toBe('\n'.repeat(rows - 1))
      press(keys)
      const before = terminal.written.length
      press('\u000c')
      await expect.poll(() => terminal.written.length).toBeGreaterThan(before)
      expect(Math.max(...terminal.lines.map(displayWidth))).toBeLessThanOrEqual(columns)
      expect(terminal.written).not.toContain(`\u001b[${rows + 1};1H`)
    },
  )
})

test('it follows the terminal when that is resized', async () => {
  const { terminal, shows, log } = show(SERVICES)
  log('web', ...numbered(100))
  await shows('line 99.')
  terminal.resize(40, 12)
  await expect.poll(() => terminal.lines.at(-1)).toContain('? help')
  expect(Math.max(...terminal.lines.map(displayWidth))).toBeLessThanOrEqual(40)
  terminal.resize(140, 40)
  await expect.poll(() => terminal.lines.at(-1)).toContain('z sleep')
  expect(terminal.text).toContain('line 70.')
})

describe('keys of services', () => {
  const one = (key: string, action: object) => [key, action] as const
  test.each([
    one('r', { do: 'verb', verb: 'restart', services: ['api'] }),
    one('R', { do: 'verb', verb: 'restart', services: ['web', 'api'] }),
    one('s', { do: 'verb', verb: 'stop', services: ['api'] }),
    one('S', { do: 'verb', verb: 'stop', services: ['web', 'api'] }),
    one('z', { do: 'verb', verb: 'sleep', services: ['api'] }),
    one('Z', { do: 'verb', verb: 'sleep', services: ['web', 'api'] }),
    one('o', { do: 'open', service: 'api' }),
    one('O', { do: 'dashboard' }),
    one('x', { do: 'settle', service: 'api' }),
    one('\r', { do: 'look', service: 'api' }),
    one('i', { do: 'look', service: 'api' }),
    one('d', { do: 'detach' }),
    one('q', { do: 'quit' }),
    one('\u0003', { do: 'interrupt' }),
    one('\u000c', { do: 'repaint' }),
  ])('%j', async (key, action) => {
    const { did, press, shows } = show(SERVICES)
    await shows('› web')
    press('j')
    await shows('› api')
    press(key)
    await expect.poll(() => did).toEqual([action])
  })

  test('s and S start what was stopped', async () => {
    const { did, press, shows } = show([service('web', { state: 'stopped', desired: 'down' })])
    await shows('› web')
    press('sS')
    const start = { do: 'verb', verb: 'start', services: ['web'] }
    await expect.poll(() => did).toEqual([start, start])
  })

  test('the arrows stop at both ends', async () => {
    const { press, shows } = show(SERVICES)
    await shows('› web')
    press(UP)
    press(DOWN)
    await shows('› api')
    press(DOWN)
    press('k')
    await shows('› web')
  })

  test('keys that come in one read count one after the other', async () => {
    const { did, press, shows } = show(SERVICES)
    await shows('› web')
    press('?xjr')
    await expect.poll(() => did).toEqual([{ do: 'verb', verb: 'restart', services: ['api'] }])
  })

  test('e says when nothing has failed', async () => {
    const { press, shows } = show(SERVICES)
    await shows('› web')
    press('e')
    await shows('nothing has failed')
  })
})

describe('the log', () => {
  test('/ marks what it finds, n and N go on, Esc shows all again', async () => {
    const { press, shows, terminal, log, lacks } = show(SERVICES)
    log('web', 'GET /first', ...numbered(40), 'get /second', ...numbered(40))
    await shows('line 39.')
    press('/get /')
    await shows('/get /█')
    press('\r')
    await shows('get /second')
    expect(terminal.styled.join()).toContain('\u001b[7mget /\u001b[27msecond')
    await shows('paused · G follows')
    press('N')
    await shows('GET /first')
    press('N')
    await shows('no other line with get / above')
    press('n')
    await shows('get /second')
    press(ESCAPE)
    await lacks('paused')
    expect(terminal.text).toContain('line 39.')
  })

  test('an upper-case letter is meant', async () => {
    const { press, shows, log } = show(SERVICES)
    log('web', 'get', 'a', 'GET')
    await shows('GET')
    press('/Get\r')
    await shows('no line with Get above')
  })

  test('& leaves out lines as it is typed; letters are text meanwhile', async () => {
    const { press, shows, lacks, did, log } = show(SERVICES)
    log('web', 'GET /quiet', 'POST /loud')
    await shows('GET /quiet')
    press('&loud')
    await lacks('GET /quiet')
    await shows('POST /loud')
    expect(did).toEqual([])
    press('\r')
    await shows('only lines with loud')
    press(ESCAPE)
    await shows('GET /quiet')
  })

  test('f shows the selected service alone, and all again', async () => {
    const { press, shows, lacks, log } = show(SERVICES)
    log('web', 'of web')
    log('api', 'of api')
    await shows('of api')
    press('f')
    await lacks('of api')
    await shows('── web ─')
    press('f')
    await shows('of api')
  })

  test('scrolling up pauses it, a line says how many came, G follows again', async () => {
    const { press, shows, log, terminal } = show(SERVICES)
    log('web', ...numbered(100))
    await shows('line 99.')
    press(PAGE_UP)
    await shows('paused · G follows')
    const before = terminal.lines.slice(5, -1)
    log('web', 'one', 'two')
    await shows('paused · 2 new lines · G follows')
    expect(terminal.lines.slice(5, -1)).toEqual(before)
    press('G')
    await shows('two')
  })

  test('what is read is never dropped from under the reader, however much comes', async () => {
    const { press, shows, log, terminal, store } = show(SERVICES)
    log('web', ...numbered(100))
    await shows('line 99.')
    press('g')
    await shows('line 0.')
    for (let line = 0; line < 60_000; line++) store.logs.push('web', 'flood', 1)
    await shows('60000 new lines')
    expect(terminal.text).toContain('line 0.')
    press('G')
    await shows('⋯ 35100 lines passed meanwhile')
  })

  test('l is the log alone, with the keys of a pager', async () => {
    const { press, shows, lacks, log, terminal } = show(SERVICES)
    log('web', ...numbered(100))
    await shows('line 99.')
    press('l')
    await lacks('SERVICE')
    await shows('line 79.')
    press('b')
    await shows('line 58.')
    press(' ')
    await lacks('paused')
    press('kk')
    await shows('paused')
    expect(terminal.text).not.toContain('line 98.')
    press('j')
    await shows('line 98.')
    press('g')
    await shows('line 0.')
    press('d')
    await shows('line 11.')
    press('u')
    await shows('line 0.')
    press('q')
    await shows('SERVICE')
  })

  test('L is that of the selected service alone; f goes to the next', async () => {
    const { press, shows, log, lacks } = show(SERVICES)
    log('web', 'of web')
    log('api', 'of api')
    await shows('of api')
    press('L')
    await lacks('of api')
    press('f')
    await shows('of api')
    await lacks('of web')
    press('f')
    await shows('of web')
  })

  test('w wraps long lines and cuts them again', async () => {
    const { press, shows, lacks, log } = show(SERVICES, { columns: 40 })
    log('web', `${'a'.repeat(50)}END`)
    await shows('aaa…')
    press('w')
    await shows('END')
    press('w')
    await lacks('END')
  })
})

describe(': is every command, by the beginnings of its words', () => {
  test('a chosen one runs', async () => {
    const { press, shows, did } = show(SERVICES)
    await shows('› web')
    press(':')
    await shows('› restart web')
    press('r a')
    await shows('› restart api')
    press('\r')
    await expect.poll(() => did).toEqual([{ do: 'verb', verb: 'restart', services: ['api'] }])
  })

  test('Tab completes, the arrows choose', async () => {
    const { press, shows, did } = show(SERVICES)
    await shows('› web')
    press(':sl')
    await shows('› sleep web')
    press(DOWN)
    await shows('› sleep api')
    press('\t')
    await shows(':sleep api█')
    press('\r')
    await expect.poll(() => did).toEqual([{ do: 'verb', verb: 'sleep', services: ['api'] }])
  })

  test('free takes a port', async () => {
    const { press, shows, did } = show(SERVICES)
    await shows('› web')
    press(':free 3000\r')
    await expect.poll(() => did).toEqual([{ do: 'free', port: 3000 }])
  })

  test('what does not exist is said', async () => {
    const { press, shows } = show(SERVICES)
    await shows('› web')
    press(':zzzz\r')
    await shows('there is no command zzzz')
  })
})

test('the detail has generations, sockets, handover and names of variables, and follows the selection', async () => {
  const lastSwap = {
    from: 2,
    to: 3,
    cause: 'src/a.js',
    policy: 'hold',
    ms: 48,
    queued: 3,
    moved: 0,
    cut: 0,
  } as const
  const web = service('web', { state: 'ready', generation: 3, pid: 9, handover: 'preload', lastSwap })
  const { press, shows, store, did, terminal } = show([web, service('api')])
  await shows('› web')
  press('\r')
  await shows('generation 3 · src/a.js · 48 ms · 3 queued · 0 cut · hold')
  expect(terminal.text).toContain('preload: its bind() got the listener')
  expect(terminal.text).toContain('http  http://localhost:3001  0 open · 0 queued')
  store.onVariables('web', ['PATH', 'SECRET'])
  await shows('PATH SECRET')
  store.push({
    v: 1,
    seq: 1,
    at: '2026-01-01T00:00:00Z',
    type: 'service',
    project: 'shop',
    service: 'web',
    generation: 4,
    status: {
      ...web,
      state: 'failed',
      generation: 4,
      reason: { code: 'exited', message: 'exit 3', hint: null },
    },
  })
  await shows('failed · generation 4 · exit 3')
  press('j')
  await shows('none yet')
  expect(did).toEqual([
    { do: 'look', service: 'web' },
    { do: 'look', service: 'api' },
  ])
  press(ESCAPE)
  await shows('── all services')
})

test('a question takes every key, and only its own are answers', async () => {
  const { press, shows, store, did } = show(SERVICES)
  const answer = store.ask('port 3000: node x. End it?', [
    { key: 'y', label: '[y]es' },
    { key: 'n', label: '[n]o' },
  ])
  await shows('End it?  [y]es  [n]o')
  press('qry')
  await expect.poll(() => did).toEqual([{ do: 'answer', key: 'y' }])
  store.view().prompt?.answer('y')
  expect(await answer).toBe('y')
  await shows('? help')
})

test('? shows every key; at 80×24 all of them', async () => {
  const { press, shows } = show(SERVICES)
  press('?')
  await shows('select a service')
  await shows('bring it down')
  press(ESCAPE)
  await shows('› web')
})

describe('a daemon that goes away', () => {
  test('is said, and its snapshot counts when it is back', async () => {
    const { store, shows, lacks } = show(SERVICES)
    store.push({ type: 'lost' })
    await shows('the daemon is away')
    const projects = [project([service('web', { state: 'failed' })])]
    store.push({ v: 1, seq: 1, at: '', type: 'snapshot', daemon: null, projects, edges: [], wakes: [] })
    await shows('✗ failed')
    await lacks('the daemon is away')
    await shows('the daemon is back')
  })

  test('takes no line with it: what is in the files follows, each line once', async () => {
    const line = (offset: number) => ({
      at: '2026-01-01',
      project: 'shop',
      service: 'web',
      generation: 1,
      offset,
      text: `at ${offset}.`,
    })
    const { store, shows, terminal } = show([service('web')], { past: () => [0, 6, 12, 18].map(line) })
    const batch = (first: number, lines: string[]) =>
      ({
        v: 1,
        seq: 1,
        at: '',
        type: 'logs',
        project: 'shop',
        service: 'web',
        generation: 1,
        first,
        last: first + 6 * (lines.length - 1),
        lines,
        passed: 0,
      }) as const
    const snapshot: StreamItem = {
      v: 1,
      seq: 1,
      at: '',
      type: 'snapshot',
      daemon: null,
      projects: [project([service('web')])],
      edges: [],
      wakes: [],
    }
    store.push(batch(0, ['at 0.', 'at 6.']))
    store.push({ type: 'lost' })
    store.push(snapshot)
    // It comes while the files are read, which have it too.
    store.push(batch(18, ['at 18.', 'at 24.']))
    await shows('at 24.')
    expect(terminal.lines.filter((text) => text.includes('| at')).map((text) => text.split('| ')[1])).toEqual(
      ['at 0.', 'at 6.', 'at 12.', 'at 18.', 'at 24.'],
    )
  })
})

describe('what a service prints', () => {
  test.each([
    ['cursor moves', 'a\u001b[2J\u001b[Hb\u001b[10;10Hc'],
    ['a title', 'a\u001b]0;evil\u0007bc'],
    ['the clipboard', 'a\u001b]52;c;ZXZpbA==\u0007bc'],
    ['the alternate screen', 'a\u001b[?1049hb\u001b[?1049lc'],
    ['bracketed paste and mouse', 'a\u001b[?2004hb\u001b[?1000hc'],
    ['a scroll region', 'a\u001b[1;5rb\u001bMc'],
    ['device queries', 'a\u001b[6nb\u001b[cc'],
    ['a device string', 'a\u001bPq#0\u001b\\bc'],
    ['8-bit controls', 'a\u009b2Jb\u009d0;x\u009cc'],
    ['a reset', 'a\u001bcb\u001b[!pc'],
    ['line feeds, bells, backspaces', 'a\u0007\u0008b\u000b\u000cc'],
  ])('drives nobody’s terminal: %s', async (_, text) => {
    const { log, shows, terminal, press } = show(SERVICES, { colours: true })
    await shows('› web')
    const before = terminal.written.length
    log('web', text)
    await shows('| abc')
    press('l')
    await expect.poll(() => terminal.text).not.toContain('SERVICE')
    press('w')
    await shows('wrapped')
    // Of all that was written since, only the painter's own sequences and colours are left.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
    const own = /\u001b\[(?:\?2026[hl]|\d+;1H|2K|[0-9;:]*m)/g
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
    expect(terminal.written.slice(before).replace(own, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  test('keeps its colours, and without colours none', async () => {
    const coloured = show(SERVICES, { colours: true })
    coloured.log('web', '\u001b[31mred')
    await coloured.shows('| red')
    expect(coloured.terminal.styled.join()).toContain('\u001b[31mred')
    const plain = show(SERVICES)
    plain.log('web', '\u001b[31mred')
    await plain.shows('| red')
    expect(plain.terminal.styled.join()).not.toContain('\u001b[31m')
  })
})

test('the terminal is as it was when the screen has gone', async () => {
  const { stage, terminal, shows } = show(SERVICES)
  await shows('› web')
  await stage[Symbol.asyncDispose]()
  expect(terminal.written.startsWith('\u001b[?1049h\u001b[?25l\u001b[?7l')).toBe(true)
  expect(terminal.written.endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l')).toBe(true)
})

test('a terminal that does not read gets no old frames when it does', async () => {
  const { terminal, shows, log } = show(SERVICES)
  await shows('› web')
  terminal.writableNeedDrain = true
  const before = terminal.written.length
  log('web', ...numbered(1000))
  // The painter has come to wait.
  await expect.poll(() => terminal.listenerCount('drain')).toBe(1)
  expect(terminal.written.length).toBe(before)
  terminal.writableNeedDrain = false
  terminal.emit('drain')
  await shows('line 999.')
  expect(terminal.written.slice(before)).not.toContain('line 500.')
})

test('a log without an end stays a window of its newest lines', () => {
  const logs = new LogWindow()
  for (let line = 0; line < 100_000; line++) logs.push('web', `line ${line}`)
  expect(logs.get(logs.end - 1)?.text).toBe('line 99999')
  expect(logs.end - logs.first).toBeGreaterThanOrEqual(20_000)
  expect(logs.end - logs.first).toBeLessThanOrEqual(25_000)
  const long = 'x'.repeat(100_000)
  for (let line = 0; line < 10_000; line++) logs.push('web', long)
  let characters = 0
  for (let id = logs.first; id < logs.end; id++) characters += logs.get(id)?.text.length ?? 0
  expect(characters).toBeLessThanOrEqual(20_000_000)
})
