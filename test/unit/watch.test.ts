import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Globs } from '../../proxy/watch/globs.ts'
import { IgnoreRules } from '../../proxy/watch/ignore-rules.ts'
import { Settle } from '../../proxy/watch/settle.ts'

describe('the last glob that matches a file decides', () => {
  test.each<[globs: string[], path: string, told: boolean]>([
    [['src/**'], 'src/a/b.js', true],
    [['src/**'], 'lib/b.js', false],
    [['src'], 'src/a/b.js', true],
    [['./src/'], 'src/a.js', true],
    [['server.js'], 'server.js', true],
    [['./server.js'], 'lib/server.js', false],
    [['**/*.ts'], 'a.ts', true],
    [['**/*.ts'], 'a/b/c.ts', true],
    [['*.ts'], 'a/b.ts', false],
    [['src/**', '!**/*.test.*'], 'src/a.test.ts', false],
    [['!**/*.test.*', 'src/**'], 'src/a.test.ts', true],
    [['src/**', '!src/**/*.test.ts', 'src/keep.test.ts'], 'src/keep.test.ts', true],
    [['**', '!dist'], 'dist/a/.b', false],
    [['../shared/**'], '../shared/a.ts', true],
    [['{src,lib}/*.js'], 'lib/a.js', true],
    [['src/**'], 'src/.cache/a', false],
    [['.env*'], '.env.local', true],
    [['src/\\[id\\].ts'], 'src/[id].ts', true],
  ])('%j and %s: %s', (globs, path, told) => {
    expect(new Globs('/home/shop', globs).matches(join('/home/shop', path))).toBe(told)
  })

  test('a root with wildcards in its name is a folder like any other', () => {
    expect(new Globs('/home/[a] (1)', ['src/*.js']).matches('/home/[a] (1)/src/x.js')).toBe(true)
  })

  test('folders that no glob leads to are not walked', () => {
    const globs = new Globs('/p', ['src/*.js', 'lib/**', 'server.js'])
    const reached = ['/p', '/p/src', '/p/src/deep', '/p/lib/a/b', '/p/data'].filter((path) =>
      globs.reaches(path),
    )
    expect(reached).toEqual(['/p', '/p/src', '/p/lib/a/b'])
  })
})

describe('what is not watched although a glob matches', () => {
  function rules(
    globs: string[],
    files: Record<string, string>,
  ): (path: string, folder?: boolean) => boolean {
    const root = mkdtempSync(join(tmpdir(), 'devsock-ignore-'))
    onTestFinished(() => rmSync(root, { recursive: true }))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, path, '..'), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    const found = new IgnoreRules(root, new Globs(root, globs))
    return (path, folder = false) => found.ignores(join(root, path), folder)
  }

  test("tools' folders, devsock's configuration and what editors leave", () => {
    const ignored = rules(['**'], {})
    expect(ignored('node_modules', true)).toBe(true)
    expect(ignored('packages/a/node_modules', true)).toBe(true)
    expect(ignored('.git', true)).toBe(true)
    for (const name of [
      'devsock.config.ts',
      'devsock.local.json',
      'a.js~',
      '.a.js.swp',
      '4913',
      '.#a.js',
      '#a.js#',
    ]) {
      expect([name, ignored(name)]).toEqual([name, true])
    }
    for (const name of ['a.js', 'config.ts', 'devsock.test.ts', '14913'])
      expect([name, ignored(name)]).toEqual([name, false])
  })

  test('.gitignore counts, and a deeper one before those above it', () => {
    const ignored = rules(['**'], {
      '.gitignore': 'dist/\n*.gen.js\n',
      'src/.gitignore': '!keep.gen.js\n/local\n',
    })
    expect(ignored('dist', true)).toBe(true)
    expect(ignored('src/a.gen.js')).toBe(true)
    expect(ignored('src/keep.gen.js')).toBe(false)
    expect(ignored('src/local')).toBe(true)
    expect(ignored('local')).toBe(false)
  })

  test('what a glob names itself is watched, ignored or not', () => {
    const files = { '.gitignore': 'dist/\n.env\n*.map\n' }
    const named = rules(['src/**', 'dist/**', '.env', 'node_modules/mine/**'], files)
    expect(named('dist', true)).toBe(false)
    expect(named('dist/app.js')).toBe(false)
    expect(named('dist/app.js.map')).toBe(false)
    expect(named('.env')).toBe(false)
    expect(named('node_modules', true)).toBe(false)
    expect(named('node_modules/mine/index.js')).toBe(false)
    expect(named('node_modules/mine/node_modules', true)).toBe(true)
    expect(named('node_modules/other', true)).toBe(true)
    expect(named('src/a.map')).toBe(true)
  })
})

describe('a change is told when what was saved is complete', () => {
  const settled: string[][] = []
  const incomplete = new Set<string>()
  let busy = false
  let settle: Settle

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    // Events are awaited by an immediate; here there are none.
    vi.stubGlobal('setImmediate', (then: () => void) => then())
    settled.length = 0
    incomplete.clear()
    busy = false
    settle = new Settle(
      (path) => !incomplete.has(path),
      () => busy,
      (paths) => settled.push(paths),
    )
  })
  afterEach(() => {
    settle.close()
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })

  test('after 15 quiet ms, once for a burst', () => {
    settle.touch('a', false)
    vi.advanceTimersByTime(10)
    settle.touch('b', false)
    vi.advanceTimersByTime(14)
    expect(settled).toEqual([])
    vi.advanceTimersByTime(1)
    expect(settled).toEqual([['a', 'b']])
  })

  test('one file alone that its writer has closed is told after 3 ms, and with others after 15', () => {
    settle.touch('a', false)
    settle.touch('a', true)
    vi.advanceTimersByTime(3)
    expect(settled).toEqual([['a']])
    settle.touch('a', true)
    vi.advanceTimersByTime(2)
    settle.touch('b', true)
    vi.advanceTimersByTime(14)
    expect(settled.length).toBe(1)
    vi.advanceTimersByTime(1)
    expect(settled[1]).toEqual(['a', 'b'])
  })

  test('while more is known to come it is waited for, however long that takes, and then once more', () => {
    busy = true
    settle.touch('a', true)
    vi.advanceTimersByTime(5_000)
    expect(settled).toEqual([])
    busy = false
    vi.advanceTimersByTime(10)
    expect(settled).toEqual([])
    settle.touch('b', true)
    vi.advanceTimersByTime(15)
    expect(settled).toEqual([['a', 'b']])
  })

  test('an emptied file is waited for, and told when it has content', () => {
    incomplete.add('a')
    settle.touch('a', false)
    vi.advanceTimersByTime(100)
    expect(settled).toEqual([])
    incomplete.clear()
    vi.advanceTimersByTime(10)
    expect(settled).toEqual([['a']])
  })

  test('one that stays empty is told after 150 ms', () => {
    incomplete.add('a')
    settle.touch('a', false)
    vi.advanceTimersByTime(149)
    expect(settled).toEqual([])
    vi.advanceTimersByTime(1)
    expect(settled).toEqual([['a']])
  })

  test('one that never rests is told every 150 ms, not never', () => {
    for (let ms = 0; ms < 450; ms += 5) {
      settle.touch('a', false)
      vi.advanceTimersByTime(5)
    }
    expect(settled.length).toBe(3)
  })

  test('a checkout that takes long is one burst, for a second at most', () => {
    for (let ms = 0; ms < 900; ms += 10) {
      settle.touch(`f${ms}`, false)
      vi.advanceTimersByTime(10)
    }
    expect(settled).toEqual([])
    for (let ms = 900; ms < 1000; ms += 10) {
      settle.touch(`f${ms}`, false)
      vi.advanceTimersByTime(10)
    }
    expect(settled.length).toBe(1)
  })
})
