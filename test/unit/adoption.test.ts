import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ResolvedSocket } from '../../proxy/config/types.ts'
import { adoptionWay, preloadable, withAdoption } from '../../proxy/services/adoption.ts'
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
  const way = adoptionWay({ sockets, adopt, argv: [process.execPath], cwd: '/' }, env, ADOPTER)
  return withAdoption(env, { sockets }, way, ADOPTER, ({ name }) => ports[name] ?? null)
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
  ['X_DEVSOCK=bound 2 12 3 kernel', { what: 'bound', position: 2, handover: 'kernel', narrowed: false }],
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

test('a program without ld.so, and one of Go, gets its slot from the kernel; what cannot be read does not', () => {
  const dir = mkdtempSync(join(tmpdir(), 'devsock-executable-'))
  try {
    writeFileSync(join(dir, 'a.c'), 'int main(void) { return 0; }')
    writeFileSync(join(dir, 'a.go'), 'package main\nimport "net"\nfunc main() { net.Listen("tcp", ":0") }')
    const make = (command: string, ...args: string[]) =>
      execFileSync(command, args, {
        cwd: dir,
        env: { ...process.env, GOCACHE: join(dir, 'cache'), HOME: dir },
      })
    make('cc', '-o', 'dynamic', 'a.c')
    make('cc', '-static', '-o', 'static', 'a.c')
    make('cc', '-static-pie', '-o', 'static-pie', 'a.c')
    make('go', 'build', '-o', 'go', 'a.go')
    copyFileSync(join(dir, 'static'), join(dir, 'cut'))
    writeFileSync(join(dir, 'cut'), Buffer.from('\x7fELF\x02\x01', 'latin1'), { mode: 0o755 })
    const way = (...argv: string[]) =>
      adoptionWay(
        { sockets: [socket('http')], adopt: true, argv, cwd: dir },
        { PATH: `/nowhere:${dir}` },
        ADOPTER,
      )
    expect([way('./dynamic'), way('./static'), way('static-pie'), way('go')]).toEqual([
      'preload',
      'kernel',
      'kernel',
      'kernel',
    ])
    expect(way('/bin/sh', '-c', 'exec ./static --port 1')).toBe('kernel')
    expect(way('/bin/sh', '-c', './static | cat')).toBe('preload')
    expect([way('cut'), way('a.c'), way('.'), way('absent')]).toEqual(Array(4).fill('preload'))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('adopt names the way, whatever the program is', () => {
  const way = (adopt: boolean | 'preload' | 'kernel') =>
    adoptionWay({ sockets: [socket('http')], adopt, argv: [process.execPath], cwd: '/' }, {}, ADOPTER)
  expect([way('kernel'), way('preload'), way(true), way(false)]).toEqual([
    'kernel',
    'preload',
    'preload',
    null,
  ])
})
