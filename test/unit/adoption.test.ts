import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ResolvedSocket } from '../../proxy/config/types.ts'
import { adoptionWay, preloadable, withAdoption } from '../../proxy/services/adoption.ts'
import { parseReport } from '../../proxy/services/adoption-report.ts'
import { type Program, programOf } from '../../proxy/services/executable.ts'
import { type Ended, Ways } from '../../proxy/services/ways.ts'

const LIBRARY = '/state/versions/1/devsock-adopt.so'
const ADOPTER = {
  library: LIBRARY,
  nodeScript: '/state/devsock-node.cjs',
  holderSocket: '/run with space/holder.sock',
}
const NODE: Program = { file: process.execPath, nature: 'libc' }

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
  const way = adoptionWay({ sockets, adopt }, env, ADOPTER, NODE)
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

test('a program without ld.so, and one of Go, binds past libc; of what cannot be read nothing is known', () => {
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
    const script = (name: string, content: string) => writeFileSync(join(dir, name), content, { mode: 0o755 })
    script('of-static', `#!${dir}/static -x\n`)
    script('of-dynamic', '#!/usr/bin/env -S dynamic -x\n')
    script('of-shell', '#! /bin/sh\n')
    script('of-itself', `#!${dir}/of-itself\n`)
    const nature = (...argv: string[]) => programOf({ argv, cwd: dir, path: `/nowhere:${dir}` }).nature
    expect([nature('./dynamic'), nature('./static'), nature('static-pie'), nature('go')]).toEqual([
      'libc',
      'kernel',
      'kernel',
      'kernel',
    ])
    expect(nature('/bin/sh', '-c', 'exec ./static --port 1')).toBe('kernel')
    expect(nature('/bin/sh', '-c', './static | cat')).toBe('starter')
    const scripts = ['of-static', 'of-dynamic', 'of-shell', 'of-itself'].map((name) => nature(name))
    expect(scripts).toEqual(['kernel', 'libc', 'starter', null])
    expect([nature('cut'), nature('a.c'), nature('.'), nature('absent')]).toEqual(Array(4).fill(null))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('adopt names the way, whatever the program is', () => {
  const way = (adopt: boolean | 'preload' | 'kernel') =>
    adoptionWay({ sockets: [socket('http')], adopt }, {}, ADOPTER, NODE)
  expect([way('kernel'), way('preload'), way(true), way(false)]).toEqual([
    'kernel',
    'preload',
    'preload',
    null,
  ])
})

const SHELL = { sockets: [socket('http')], adopt: true, argv: ['/bin/sh', '-c', 'true; ./server'], cwd: '/' }
const DIRECT = { ...SHELL, argv: [process.execPath, 'server.js'] }
const FAILED: Ended = { code: 1, left: 0 }

test.each([
  { what: 'a shell whose program ended', service: SHELL, ended: FAILED, log: '', due: true },
  {
    what: 'a shell that did not find it',
    service: SHELL,
    ended: { code: 127, left: 0 },
    log: '',
    due: false,
  },
  { what: 'a shell that was killed', service: SHELL, ended: { code: null, left: 0 }, log: '', due: false },
  { what: 'a program that forked away', service: SHELL, ended: { code: 0, left: 1 }, log: '', due: false },
  { what: 'a shell that goes on', service: SHELL, ended: null, log: 'compiling', due: false },
  {
    what: 'one whose child has no port',
    service: SHELL,
    ended: null,
    log: 'bind: address already in use',
    due: true,
  },
  { what: 'a program of libc', service: DIRECT, ended: FAILED, log: 'SyntaxError', due: false },
  {
    what: 'one whose child has no port',
    service: DIRECT,
    ended: FAILED,
    log: 'Error: listen EADDRINUSE',
    due: true,
  },
  {
    what: 'one that is to be preloaded',
    service: { ...SHELL, adopt: 'preload' as const },
    ended: FAILED,
    log: '',
    due: false,
  },
])('of $what a second try is due: $due', ({ service, ended, log, due }) => {
  const ways = new Ways()
  expect(ways.choose(1, service, {}, ADOPTER)).toBe('preload')
  expect(ways.isSecondDue(1, service.adopt, ended, () => log)).toBe(due)
  ways.forget(1, false)
  expect(ways.choose(2, service, {}, ADOPTER)).toBe(due ? 'kernel' : 'preload')
})

test('what a second try has shown is known to the next daemon, of that program alone, and for as long as it is true', () => {
  const first = new Ways()
  first.choose(1, SHELL, {}, ADOPTER)
  first.isSecondDue(1, true, FAILED, () => '')
  const ways = new Ways(JSON.parse(JSON.stringify(first.saved)))
  expect(ways.choose(2, SHELL, {}, ADOPTER)).toBe('kernel')
  expect(ways.isSecondDue(2, true, FAILED, () => '')).toBe(false)
  ways.forget(2, true)
  expect(ways.choose(3, DIRECT, {}, ADOPTER)).toBe('preload')
  expect(ways.choose(4, SHELL, {}, ADOPTER)).toBe('kernel')
  ways.forget(4, false)
  expect(ways.choose(5, SHELL, {}, ADOPTER)).toBe('preload')
})
