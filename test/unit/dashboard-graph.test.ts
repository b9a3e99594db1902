import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cascadesOf, graphOf } from '../../dashboard/graph/graph.ts'
import { layoutOf } from '../../dashboard/graph/layout.ts'
import type { ServiceStatus, Wake } from '../../proxy/protocol.ts'

const BEGAN = Date.parse('2026-01-01T12:00:00.000Z')
const wake = (service: string, from: string | null, after: number, ms: number | null = 50): Wake => ({
  at: new Date(BEGAN + after).toISOString(),
  service: `shop/${service}`,
  generation: 1,
  from: from === null || from === 'curl' ? from : `shop/${from}`,
  fromGeneration: from === null || from === 'curl' ? null : 1,
  ms,
})
const services = (...names: string[]) => names.map((name) => ({ id: `shop/${name}`, name }) as ServiceStatus)

test('one request that started four servers is one cascade, in the order of who woke whom', () => {
  const [cascade, ...others] = cascadesOf([
    wake('web', 'curl', 0, 80),
    wake('api', 'web', 90),
    wake('db', 'api', 150, 30),
    wake('mail', 'web', 200, 40),
  ])
  expect(others).toEqual([])
  expect(cascade?.from).toBe('curl')
  expect(cascade?.ms).toBe(240)
  expect(cascade?.steps.map(({ wake: { service }, depth, after }) => [service, depth, after])).toEqual([
    ['shop/web', 0, 0],
    ['shop/api', 1, 90],
    ['shop/db', 2, 150],
    ['shop/mail', 1, 200],
  ])
})

test('what a server wakes long after it was woken itself is another story; the newest comes first', () => {
  const cascades = cascadesOf([
    wake('web', 'curl', 0),
    wake('api', 'web', 60_000),
    wake('db', null, 70_000, null),
  ])
  expect(cascades.map(({ from, steps }) => [from, steps.length])).toEqual([
    [null, 1],
    ['shop/web', 1],
    ['curl', 1],
  ])
})

test('another generation of the one that connects is not what was woken', () => {
  const second = { ...wake('api', 'web', 100), fromGeneration: 2 }
  expect(cascadesOf([wake('web', 'curl', 0), second])).toHaveLength(2)
})

test('the graph has whoever connects, what is alone apart, and nothing that is not up', () => {
  const at = new Date(BEGAN).toISOString()
  const { nodes, connections, alone } = graphOf(
    services('web', 'api', 'mail'),
    [
      { from: 'shop/web', to: 'shop/api', open: 2, lastAt: at },
      { from: 'shop/web', to: 'gone/api', open: 1, lastAt: at },
    ],
    [wake('web', 'curl', 0), wake('api', 'web', 50)],
  )
  expect(nodes.map(({ id }) => id)).toEqual(['curl', 'shop/web', 'shop/api'])
  expect(connections.map(({ from, to, open }) => [from, to, open])).toEqual([
    ['curl', 'shop/web', 0],
    ['shop/web', 'shop/api', 2],
  ])
  expect(alone.map(({ name }) => name)).toEqual(['mail'])
})

const MEASURES = { width: 100, height: 40, between: 60, beside: 20 }

test('a chain goes from left to right, and from top to bottom where there is no width', () => {
  const lines = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'a', to: 'c' },
  ]
  const across = layoutOf(['c', 'b', 'a'], lines, MEASURES, false)
  expect(['a', 'b', 'c'].map((id) => across.places.get(id)?.x)).toEqual([0, 160, 320])
  // The long line goes round the box that it passes.
  expect(across.lines.get('a c')).toHaveLength(3)
  const down = layoutOf(['c', 'b', 'a'], lines, MEASURES, true)
  expect(['a', 'b', 'c'].map((id) => down.places.get(id)?.y)).toEqual([0, 100, 200])
})

test('in any graph, with circles too, every box has a place and none covers another', () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  const id = fc.constantFrom(...ids)
  fc.assert(
    fc.property(
      fc.array(fc.record({ from: id, to: id }), { maxLength: 20 }),
      fc.boolean(),
      (lines, isDown) => {
        const { places, width, height, lines: drawn } = layoutOf(ids, lines, MEASURES, isDown)
        const all = ids.map((each) => places.get(each) ?? { x: Number.NaN, y: Number.NaN })
        for (const [index, { x, y }] of all.entries()) {
          expect(x >= 0 && x + MEASURES.width <= width && y >= 0 && y + MEASURES.height <= height).toBe(true)
          for (const other of all.slice(index + 1)) {
            const isApart =
              Math.abs(other.x - x) >= MEASURES.width || Math.abs(other.y - y) >= MEASURES.height
            expect(isApart).toBe(true)
          }
        }
        for (const { from, to } of lines) expect(drawn.get(`${from} ${to}`)?.length).toBeGreaterThan(1)
      },
    ),
  )
})
