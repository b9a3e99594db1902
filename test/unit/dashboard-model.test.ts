import { expect, test } from 'vitest'
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

test('a place in the address survives any name', () => {
  for (const id of ['shop/api', 'shop@two words/ä?#&', '%41/%']) {
    expect(parseRoute(serviceHref(id))).toMatchObject({ view: 'service', service: id })
  }
  expect(parseRoute('#/services/shop/api?q=a%20b').query.get('q')).toBe('a b')
  expect(parseRoute('#/nothing').view).toBe('overview')
  expect(parseRoute('#/services/%E0%A4%A/x').view).toBe('service')
})
