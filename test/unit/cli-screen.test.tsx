import { render } from 'ink-testing-library'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createPaint } from '../../cli/print/paint.ts'
import { displayWidth } from '../../cli/print/width.ts'
import { LogWindow } from '../../cli/ui/log-window.ts'
import { ProjectStore } from '../../cli/ui/project-store.ts'
import { UpScreen } from '../../cli/ui/up-screen.tsx'
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { project, service } from './cli-fake-daemon.ts'

const SERVICES = [
  service('web', { state: 'ready', generation: 3, memory: 51_200_000 }),
  service('api', { reason: { code: 'held', message: 'nothing has asked yet', hint: 'curl it' } }),
]
const EVENT = {
  v: 1,
  seq: 1,
  at: '2026-01-01T00:00:00Z',
  project: 'shop',
  service: 'web',
  generation: 1,
} as const

/** A screen of that size, what its keys did, and its frames. */
function show(services: ServiceStatus[] = SERVICES, columns = 80, rows = 24) {
  const store = new ProjectStore(project(services))
  const did: string[] = []
  const actions = {
    verb: (target: ServiceStatus, verb: string) => void did.push(`${verb} ${target.name}`),
    open: (target: ServiceStatus) => void did.push(`open ${target.name}`),
    detach: () => void did.push('detach'),
    quit: () => void did.push('quit'),
    interrupt: () => void did.push('interrupt'),
  }
  const paint = createPaint(false)
  const screen = render(<UpScreen store={store} actions={actions} isLeased paint={paint} colours={false} />)
  onTestFinished(() => {
    screen.unmount()
    store[Symbol.dispose]()
  })
  Object.defineProperties(screen.stdout, { columns: { value: columns }, rows: { value: rows } })
  screen.stdout.emit('resize')
  const frame = (): string => screen.lastFrame() ?? ''
  return {
    store,
    did,
    frame,
    lines: () => frame().split('\n'),
    press: (keys: string) => screen.stdin.write(keys),
  }
}

test('each service shows its state with a symbol, its URL, generation and memory', async () => {
  const { lines } = show()
  await expect
    .poll(lines)
    .toContainEqual(expect.stringMatching(/› web +● ready +http:\/\/localhost:3001 +3 +51 MB/))
  expect(lines()).toContainEqual(expect.stringMatching(/^ {2}api +○ held +http:\/\/localhost:3001 +- +-/))
  expect(lines()).toContainEqual(expect.stringContaining('web: nothing has asked yet'))
})

test.each([
  [80, 24],
  [40, 24],
  [40, 10],
  [200, 60],
])('it fits %i×%i, however many services there are and however wide a log line is', async (columns, rows) => {
  const services = Array.from({ length: 30 }, (_, index) => service(`service-number-${index}`))
  const { lines, store } = show(services, columns, rows)
  for (let line = 0; line < 100; line++)
    store.push({ ...EVENT, type: 'log', text: `日本 ${line} ${'x'.repeat(300)}` })
  await expect.poll(() => lines().join()).toContain('日本 99')
  expect(lines().length).toBeLessThan(rows)
  expect(Math.max(...lines().map(displayWidth))).toBeLessThanOrEqual(columns)
})

describe('keys', () => {
  test('act on the selected service', async () => {
    const { did, press, lines } = show()
    await expect.poll(lines).toContainEqual(expect.stringContaining('› web'))
    press('r')
    press('j')
    await expect.poll(lines).toContainEqual(expect.stringContaining('› api'))
    for (const key of ['s', 'z', 'o', 'd', 'q', '\u0003']) press(key)
    await expect
      .poll(() => did)
      .toEqual(['restart web', 'stop api', 'sleep api', 'open api', 'detach', 'quit', 'interrupt'])
  })

  test('the arrows stop at both ends', async () => {
    const { press, lines } = show()
    await expect.poll(lines).toContainEqual(expect.stringContaining('› web'))
    press('\u001b[A')
    press('\u001b[B')
    await expect.poll(lines).toContainEqual(expect.stringContaining('› api'))
    press('\u001b[B')
    press('k')
    await expect.poll(lines).toContainEqual(expect.stringContaining('› web'))
  })

  test('keys that come in one read count one after the other', async () => {
    const { did, press, lines } = show()
    await expect.poll(lines).toContainEqual(expect.stringContaining('› web'))
    press('?xjr')
    await expect.poll(() => did).toEqual(['restart api'])
  })

  test('s starts what was stopped', async () => {
    const { did, press, lines } = show([service('web', { state: 'stopped', desired: 'down' })])
    await expect.poll(lines).toContainEqual(expect.stringContaining('› web'))
    press('s')
    await expect.poll(() => did).toEqual(['start web'])
  })

  test('/ filters the log by label and text until Esc; letters are text meanwhile', async () => {
    const { store, press, frame, did } = show()
    store.push({ ...EVENT, type: 'log', text: 'GET /quiet' })
    store.push({ ...EVENT, type: 'log', text: 'POST /loud' })
    await expect.poll(frame).toContain('GET /quiet')
    press('/')
    await expect.poll(frame).toContain('/█')
    press('LOUD')
    await expect.poll(frame).not.toContain('GET /quiet')
    expect(frame()).toContain('POST /loud')
    expect(did).toEqual([])
    press('\u001b')
    await expect.poll(frame).toContain('GET /quiet')
  })

  test('? shows what every key does', async () => {
    const { press, frame } = show()
    press('?')
    await expect.poll(frame).toContain('bring it down')
    press('x')
    await expect.poll(frame).toContain('› web')
  })
})

test('a daemon that goes away and comes back is said, and its snapshot counts', async () => {
  const { store, frame } = show()
  store.push({ type: 'lost' })
  await expect.poll(frame).toContain('the daemon is away')
  const projects = [project([service('web', { state: 'failed' })])]
  store.push({ v: 1, seq: 1, at: '', type: 'snapshot', daemon: null, projects, edges: [], wakes: [] })
  await expect.poll(frame).toContain('✗ failed')
  expect(frame()).not.toContain('the daemon is away')
  expect(frame()).toContain('the daemon is back')
})

test('what a service prints cannot move the cursor', async () => {
  const { store, frame } = show()
  store.push({ ...EVENT, type: 'log', text: 'a\u001b[2J\u001b[Hb\u001b]0;x\u0007c' })
  await expect.poll(frame).toContain('web | abc')
})

test('a log without an end stays a window of its newest lines', () => {
  const logs = new LogWindow()
  for (let line = 0; line < 100_000; line++) logs.push('web', `line ${line}`)
  expect(logs.last(2, '').map(({ text }) => text)).toEqual(['line 99998', 'line 99999'])
  expect(logs.last(1_000_000, '').length).toBeLessThanOrEqual(4_000)
  expect(logs.last(1, 'LINE 99997')).toHaveLength(1)
  expect(logs.last(1, 'line 5')).toHaveLength(0)
})
