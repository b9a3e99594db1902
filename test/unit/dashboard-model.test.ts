import { expect, test } from 'vitest'
import { LogBuffer, matcherOf } from '../../dashboard/log/buffer.ts'
import { apply, emptyModel, type Model, sampled } from '../../dashboard/model/model.ts'
import { CURVE_POINTS } from '../../dashboard/model/usage.ts'
import { parseRoute, serviceHref } from '../../dashboard/route.ts'
import type { DevsockEvent, ServiceStatus } from '../../proxy/protocol.ts'
import { project, service } from './cli-fake-daemon.ts'

let seq = 0
type News = DevsockEvent extends infer E
  ? E extends { seq: number }
    ? Omit<E, 'v' | 'seq' | 'at'>
    : never
  : never
const event = (news: News): DevsockEvent => {
  seq += 1
  return { v: 1, seq, at: new Date(seq * 1000).toISOString(), ...news } as DevsockEvent
}
const snapshot = (...services: ServiceStatus[]): DevsockEvent =>
  event({ type: 'snapshot', daemon: null, projects: [project(services)], edges: [], wakes: [] })
const told = (status: ServiceStatus): DevsockEvent =>
  event({ type: 'service', project: 'shop', service: status.name, generation: status.generation, status })
const after = (...events: DevsockEvent[]): Model => events.reduce(apply, emptyModel())
const timeline = (model: Model) =>
  (model.history['shop/api'] ?? []).map(({ kind, state, generation }) => `${kind} ${state} ${generation}`)

const receipt = {
  from: 1,
  to: 2,
  cause: 'api.js',
  policy: 'hold',
  ms: 48,
  queued: 3,
  moved: 5,
  cut: 0,
} as const

test('a timeline has what a service came to, each swap with its receipt, and each end by itself', () => {
  const api = (more: Partial<ServiceStatus>) => told(service('api', more))
  const lastExit = { code: 1, signal: null, at: '2026-01-01T00:00:00.000Z' }
  const model = after(
    snapshot(service('api')),
    api({ state: 'starting', generation: 1 }),
    api({ state: 'ready', generation: 1 }),
    api({ state: 'ready', generation: 1, memory: 5 }),
    api({ state: 'swapping', generation: 2 }),
    api({ state: 'ready', generation: 2, swaps: 1, lastSwap: receipt }),
    api({ state: 'starting', generation: 3, swaps: 1, lastSwap: receipt, crashes: 1, lastExit }),
    api({ state: 'failed', generation: 3, swaps: 1, lastSwap: receipt, crashes: 2, lastExit }),
  )
  expect(timeline(model)).toEqual([
    'state held 0',
    'state ready 1',
    'swap ready 2',
    'exit failed 3',
    'state failed 3',
  ])
  expect(model.history['shop/api']?.[2]?.receipt).toEqual(receipt)
})

test('after a reconnect the snapshot tells what was missed, and nothing twice', () => {
  const ready = service('api', { state: 'ready', generation: 1 })
  const model = after(
    snapshot(ready),
    snapshot(ready),
    snapshot(service('api', { state: 'held', generation: 1 })),
  )
  expect(timeline(model)).toEqual(['state ready 1', 'state held 1'])
})

test('projects keep their places, and one that a snapshot does not have is gone', () => {
  const of = (...ids: string[]) =>
    event({
      type: 'snapshot',
      daemon: null,
      projects: ids.map((id) => ({ ...project([]), id })),
      edges: [],
      wakes: [],
    })
  expect(after(of('a', 'b'), of('c', 'b', 'a')).projects.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  expect(after(of('a', 'b'), of('b')).projects.map(({ id }) => id)).toEqual(['b'])
  expect(
    after(of('a', 'b'), event({ type: 'project-gone', project: 'a' })).projects.map(({ id }) => id),
  ).toEqual(['b'])
})

test('a curve is a minute long, and has holes where nothing ran', () => {
  let model = after(snapshot(service('api', { memory: 7, cpu: 3 })))
  for (let second = 0; second < 100; second += 1) model = sampled(model, second * 1000)
  expect(model.usage['shop/api']?.times).toHaveLength(CURVE_POINTS)
  expect(model.usage['shop/api']?.cpu.at(-1)).toBe(3)
  model = sampled(apply(model, told(service('api'))), 100_000)
  expect(model.usage['shop/api']?.memory.slice(-2)).toEqual([7, null])
})

test('a filter is text in any case, a regular expression between slashes, a generation, a level', () => {
  const buffer = new LogBuffer()
  const texts = ['GET /a.b 200', 'Error: broken', 'warning: slow', 'GET /aXb 200']
  const lines = texts.map((text, index) => ({
    at: '',
    project: 'shop',
    service: 'api',
    generation: 1 + (index >> 1),
    offset: index,
    text,
  }))
  buffer.append(lines)
  const with_ = (filter: Partial<Parameters<LogBuffer['filter']>[0]>): string[] => {
    buffer.filter({ text: '', generation: null, level: 'all', ...filter })
    return buffer.shown.map(({ plain }) => plain)
  }
  expect(with_({ text: 'a.B' })).toEqual(['GET /a.b 200'])
  expect(with_({ text: '/a.b/' })).toEqual(['GET /a.b 200', 'GET /aXb 200'])
  expect(with_({ generation: 2 })).toEqual(['warning: slow', 'GET /aXb 200'])
  expect(with_({ level: 'errors' })).toEqual(['Error: broken'])
  expect(with_({ level: 'warnings' })).toEqual(['Error: broken', 'warning: slow'])
  expect(with_({ text: 'nothing' })).toEqual([])
  // What comes later goes through the same filter.
  buffer.append([{ at: '', project: 'shop', service: 'api', generation: 3, offset: 9, text: 'nothing new' }])
  expect(buffer.shown.map(({ plain }) => plain)).toEqual(['nothing new'])
  expect(matcherOf('/[/')?.source).toBe('\\/\\[\\/')
})

test('a log keeps its last 100,000 lines, and clearing hides what is there by now', () => {
  const buffer = new LogBuffer()
  const line = (text: string) => ({ at: '', project: 'shop', service: 'api', generation: 1, offset: 0, text })
  for (let chunk = 0; chunk < 12; chunk += 1)
    buffer.append(Array.from({ length: 10_000 }, (_, index) => line(`${chunk * 10_000 + index}`)))
  expect(buffer.size).toBeLessThanOrEqual(110_000)
  expect(buffer.shown.at(-1)?.text).toBe('119999')
  buffer.clear()
  expect(buffer.shown).toEqual([])
  buffer.append([line('new')])
  expect(buffer.shown.map(({ text }) => text)).toEqual(['new'])
})

test('a place in the address survives any name', () => {
  for (const id of ['shop/api', 'shop@two words/ä?#&', '%41/%']) {
    expect(parseRoute(serviceHref(id))).toMatchObject({ view: 'service', service: id })
  }
  expect(parseRoute('#/services/shop/api?q=a%20b').query.get('q')).toBe('a b')
  expect(parseRoute('#/nothing').view).toBe('overview')
  expect(parseRoute('#/services/%E0%A4%A/x').view).toBe('service')
})
