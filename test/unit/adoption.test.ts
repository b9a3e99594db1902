import { expect, test } from 'vitest'
import type { ResolvedSocket } from '../../proxy/config/types.ts'
import { preloadable, withAdoption } from '../../proxy/services/adoption.ts'
import { parseReport } from '../../proxy/services/adoption-report.ts'

const LIBRARY = '/state/versions/1/devsock-adopt.so'
const ADOPTER = { library: LIBRARY, holderSocket: '/run with space/holder.sock' }

const socket = (name: string, binds: number | null = null): ResolvedSocket => ({
  name,
  address: { kind: 'loopback', port: 0 },
  backlog: 1,
  protocol: 'http',
  binds,
})

function adopted(env: Record<string, string>, options: { sockets?: ResolvedSocket[]; adopt?: boolean } = {}) {
  const { sockets = [socket('http')], adopt = true } = options
  const ports: Record<string, number> = { http: 3000, admin: 3001 }
  return withAdoption(env, { sockets, adopt }, ADOPTER, ({ name }) => ports[name] ?? null)
}

test('a generation is told of the library, the ports of its slots in their order, and the holder', () => {
  const sockets = [socket('http', 5173), socket('unix'), socket('admin', 3001)]
  expect(adopted({ PATH: '/bin' }, { sockets })).toEqual({
    PATH: '/bin',
    LD_PRELOAD: LIBRARY,
    DEVSOCK_ADOPT: '5173=3000,0,3001',
    DEVSOCK_HOLDER: ADOPTER.holderSocket,
    ASAN_OPTIONS: 'verify_asan_link_order=0',
  })
})

test('what the user preloads stays, behind ours; that of an outer devsock goes', () => {
  expect(adopted({ LD_PRELOAD: '/a.so /b.so:/old/devsock-adopt.so', ASAN_OPTIONS: 'a=1' })).toMatchObject({
    LD_PRELOAD: `${LIBRARY}:/a.so:/b.so`,
    ASAN_OPTIONS: 'a=1:verify_asan_link_order=0',
  })
  expect(adopted({ LD_PRELOAD: '/old/devsock-adopt.so' }, { adopt: false })).toEqual({ LD_PRELOAD: '' })
})

test('adopt: false, DEVSOCK=0 and a worker leave the environment as it is', () => {
  expect(adopted({ A: '1' }, { adopt: false })).toEqual({ A: '1' })
  expect(adopted({ DEVSOCK: '0' })).toEqual({ DEVSOCK: '0' })
  expect(adopted({ A: '1' }, { sockets: [] })).toEqual({ A: '1' })
})

test('a path that ld.so would read as two cannot be preloaded', () => {
  expect(['/a/b.so', '/a b.so', '/a:b.so', '/a\nb.so'].map(preloadable)).toEqual([true, false, false, false])
})

test.each([
  ['X_DEVSOCK=bound 0 12 3 preload narrowed', { what: 'bound', pid: 12, fd: 3, narrowed: true }],
  [
    'X_DEVSOCK=accepting 1 12 7 inherited',
    { what: 'accepting', position: 1, handover: 'inherited', narrowed: false },
  ],
])('the report %s is understood', (payload, report) => {
  expect(parseReport(payload)).toMatchObject(report)
})

test.each([
  'READY=1',
  'X_DEVSOCK=',
  'X_DEVSOCK=gone 0 1 2 preload',
  'X_DEVSOCK=bound -1 1 2 preload',
  'X_DEVSOCK=bound 0 1 2 preload\nREADY=1',
])('%j is no report', (payload) => expect(parseReport(payload)).toBeNull())
