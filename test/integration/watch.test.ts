import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fileWatches, type WatchFile, watchByNode } from '../../proxy/watch/file-watches.ts'
import { type Change, watchService } from '../../proxy/watch/watch-set.ts'
import { eventually } from '../rig/eventually.ts'

/** A folder with files and a watch on them; both go with the test. */
async function watched(globs: string[], files: Record<string, string>, watch: WatchFile = fileWatches()) {
  const root = mkdtempSync(join(tmpdir(), 'devsock-watch-'))
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  for (const [path, text] of Object.entries(files)) write(path, text)
  const saving: string[] = []
  const changes: Change[] = []
  const problems: string[] = []
  /** What a file held when its change was told. */
  const contents: string[] = []
  const set = watchService({
    root,
    globs,
    onSaving: (path) => saving.push(path),
    onChange: (change) => {
      changes.push(change)
      try {
        contents.push(readFileSync(join(root, change.path), 'utf8'))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        contents.push('(gone)')
      }
    },
    onProblem: (message) => problems.push(message),
    watch,
  })
  onTestFinished(() => {
    set.close()
    rmSync(root, { recursive: true, force: true })
  })
  await set.watching
  const told = (count: number): Promise<unknown> =>
    eventually(() => changes.length >= count, {
      what: `change ${count}`,
      deadline: 5_000,
      dump: async () => JSON.stringify(changes),
    })
  const paths = (): string[] => changes.map(({ path }) => path)
  return { root, set, write, saving, changes, contents, problems, told, paths }
}

function saveAtomically(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text)
  renameSync(`${path}.tmp`, path)
}

/** inotify watches of this process (proc_pid_fdinfo(5)). */
function inotifyWatches(): number {
  let count = 0
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    try {
      count += readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify wd:/gm)?.length ?? 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return count
}

/** A watch that never tells anything: what a network file system does, or mmap(2). */
const deaf: WatchFile = () => ({ close() {} })

describe('a save is told once, with its path, when its content is complete', () => {
  test('however the file is saved: rewritten, renamed over, deleted, new', async () => {
    const { root, write, told, paths, contents } = await watched(['src/**'], {
      'src/a.js': '1',
      'src/b.js': '1',
    })
    write('src/a.js', '2')
    await told(1)
    saveAtomically(join(root, 'src/b.js'), '22')
    await told(2)
    unlinkSync(join(root, 'src/a.js'))
    await told(3)
    write('src/c.js', 'new')
    await told(4)
    expect(paths()).toEqual(['src/a.js', 'src/b.js', 'src/a.js', 'src/c.js'])
    expect(contents).toEqual(['2', '22', '(gone)', 'new'])
  })

  test('an editor that truncates, thinks and writes is told of once, with what it wrote', async () => {
    const { root, set, told, contents } = await watched(['*.js'], { 'a.js': 'old' })
    writeFileSync(join(root, 'a.js'), '')
    await pause(60) // the editor's own, longer than the quiet time
    writeFileSync(join(root, 'a.js'), 'new', { flag: 'r+' })
    await told(1)
    await set.sweep()
    expect(contents).toEqual(['new'])
  })

  test('an editor that moves the file away and writes another is told of once', async () => {
    const { root, set, told, contents } = await watched(['*.js'], { 'a.js': 'old' })
    renameSync(join(root, 'a.js'), join(root, 'a.js~'))
    await pause(40)
    writeFileSync(join(root, 'a.js'), 'new')
    unlinkSync(join(root, 'a.js~'))
    await told(1)
    await set.sweep()
    expect(contents).toEqual(['new'])
  })

  test('a second save right after the first was told is told too', async () => {
    const { write, changes, contents, told } = await watched(['*.js'], { 'a.js': '0' })
    for (let save = 1; save <= 20; save++) {
      write('a.js', `save ${save}`)
      await told(save)
    }
    expect(changes.length).toBe(20)
    expect(contents.at(-1)).toBe('save 20')
  })

  test('a checkout of 500 files is one change', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `src/d${i % 20}/f${i}.js`)
    const { set, write, changes, told } = await watched(
      ['src/**'],
      Object.fromEntries(names.map((name) => [name, '1'])),
    )
    for (const name of names) write(name, '22')
    await told(1)
    await set.sweep()
    expect(changes.map(({ path, count }) => [path, count])).toEqual([['src/d0/f0.js', 500]])
  })

  test('neither a touched mode nor a file that came and went is a change', async () => {
    const { root, set, write, told, paths } = await watched(['**'], { 'a.js': '1' })
    chmodSync(join(root, 'a.js'), 0o700)
    write('b.tmp', 'x')
    unlinkSync(join(root, 'b.tmp'))
    await set.sweep()
    write('c.js', '1')
    await told(1)
    expect(paths()).toEqual(['c.js'])
  })

  test('the median of 50 saves of either kind is told in 40 ms, 3 of them quiet', async () => {
    const { root, write, changes, told } = await watched(['src/**'], { 'src/a.js': '0' })
    const delays: Record<string, number[]> = { atomic: [], truncating: [] }
    for (let save = 0; save < 100; save++) {
      const kind = save % 2 ? 'atomic' : 'truncating'
      const began = Date.now()
      if (kind === 'atomic') saveAtomically(join(root, 'src/a.js'), String(save))
      else write('src/a.js', String(save))
      const before = changes.length
      let at = 0
      while (at === 0) {
        await pause(1)
        if (changes.length > before) at = Date.now()
      }
      delays[kind]?.push(at - began)
      await told(save + 1)
    }
    for (const kind of Object.values(delays)) expect(kind.sort((a, b) => a - b)[25]).toBeLessThan(40)
  })
})

test.each([
  ['inotify', fileWatches()],
  ['fs.watch', watchByNode],
])('a writer that keeps the file open is noticed, by %s', async (_, watch) => {
  const { root, set, told, contents } = await watched(['*.js'], { 'a.js': 'old' }, watch)
  const fd = openSync(join(root, 'a.js'), 'r+')
  onTestFinished(() => closeSync(fd))
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    writeSync(fd, text, 0)
    await told(index + 1)
  }
  await set.sweep()
  expect(contents).toEqual(['one', 'two', 'three'])
})

test('that a save has begun is told at once, with the old content gone, and the change follows', async () => {
  const { root, set, saving, changes, told } = await watched(['*.js'], { 'a.js': 'old' })
  const fd = openSync(join(root, 'a.js'), 'w')
  await eventually(() => saving.length > 0, { what: 'the sign of a save' })
  expect([saving, changes]).toEqual([['a.js'], []])
  writeSync(fd, 'new')
  closeSync(fd)
  await told(1)
  // It may be the same in the end: whoever was told of a save is told of its end.
  renameSync(join(root, 'a.js'), join(root, 'b.txt'))
  await eventually(() => saving.length > 1, { what: 'the sign of another' })
  renameSync(join(root, 'b.txt'), join(root, 'a.js'))
  await told(2)
  await set.sweep()
  expect(changes.length).toBe(2)
})

describe('git changes 500 files', () => {
  const names = Array.from({ length: 500 }, (_, i) => `src/d${i % 20}/f${i}.js`)

  /** A repository whose branches `old` and `new` differ in all files. */
  async function repository() {
    const files = (text: string) => Object.fromEntries(names.map((name) => [name, text]))
    // There from the beginning, as the watch finds it.
    const found = await watched(['src/**'], { ...files('1'), '.git/description': '' })
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: found.root })
    git('init', '-q', '-b', 'old')
    git('add', '-A')
    git('commit', '-qm', 'old')
    git('checkout', '-qb', 'new')
    for (const name of names) found.write(name, '22')
    await found.set.sweep()
    git('commit', '-qam', 'new')
    found.changes.splice(0)
    return { ...found, git }
  }

  test('in a checkout: one change, told when all are there', async () => {
    const { root, set, changes, told, git } = await repository()
    git('checkout', '-q', 'old')
    await told(1)
    await set.sweep()
    expect(changes).toMatchObject([{ count: 500 }])
    for (const name of names) expect(readFileSync(join(root, name), 'utf8')).toBe('1')
  })

  test('and takes its time between two of them: still one change', async () => {
    const { root, set, write, saving, changes } = await repository()
    write('.git/index.lock', '')
    write('src/d0/f0.js', '333')
    await eventually(() => saving.length > 0, { what: 'the sign of a save' })
    await pause(200) // git's own
    write('src/d1/f1.js', '333')
    unlinkSync(join(root, '.git/index.lock'))
    await set.sweep()
    expect(changes).toMatchObject([{ path: 'src/d0/f0.js', count: 2 }])
  })

  test('a lock that was left behind, and one of a commit whose message is being written, hold up nothing', async () => {
    const { root, write, told } = await repository()
    write('.git/index.lock', '')
    utimesSync(join(root, '.git/index.lock'), 1, 1)
    write('src/d0/f0.js', '333')
    await told(1)
    write('.git/index.lock', 'DIRC')
    write('src/d0/f0.js', '4444')
    await told(2)
  })
})

describe('folders and links are followed as they come and go', () => {
  test('mkdir -p a/b and a write at once', async () => {
    const { write, told, paths } = await watched(['src/**'], { 'src/a.js': '1' })
    for (let i = 0; i < 30; i++) {
      write(`src/n${i}/b/c/x.js`, '1')
      await told(i + 1)
    }
    expect(paths()).toEqual(Array.from({ length: 30 }, (_, i) => `src/n${i}/b/c/x.js`))
  })

  test('a base that does not exist yet, goes, and comes again', async () => {
    const { root, write, told, contents } = await watched(['src/lib/**'], { 'package.json': '{}' })
    write('src/lib/a.js', 'first')
    await told(1)
    rmSync(join(root, 'src'), { recursive: true })
    await told(2)
    write('src/lib/a.js', 'second')
    await told(3)
    expect(contents).toEqual(['first', '(gone)', 'second'])
  })

  test('a root that goes, and comes again', async () => {
    const { root, write, told, contents } = await watched(['src/**'], { 'src/a.js': 'first' })
    rmSync(root, { recursive: true })
    await told(1)
    write('src/a.js', 'second')
    await told(2)
    renameSync(root, `${root}.moved`)
    await told(3)
    renameSync(`${root}.moved`, root)
    await told(4)
    write('src/a.js', 'third')
    await told(5)
    expect(contents).toEqual(['(gone)', 'second', '(gone)', 'second', 'third'])
  })

  test('a folder that is renamed into place', async () => {
    const { root, write, told, changes, set } = await watched(['src/**'], {
      'src/app/a.js': '1',
      'next/a.js': '22',
      'next/b.js': '2',
    })
    renameSync(join(root, 'src/app'), join(root, 'old'))
    renameSync(join(root, 'next'), join(root, 'src/app'))
    await told(1)
    await set.sweep()
    expect(changes.map(({ count }) => count)).toEqual([2])
    write('src/app/b.js', 'later')
    await told(2)
    expect(changes.at(-1)?.path).toBe('src/app/b.js')
  })

  test('a symlink to a file and one to a folder, and what they lead to later', async () => {
    const { root, told, paths, set } = await watched(['src/**'], { 'src/a.js': '1' })
    const elsewhere = mkdtempSync(join(tmpdir(), 'devsock-linked-'))
    onTestFinished(() => rmSync(elsewhere, { recursive: true }))
    writeFileSync(join(elsewhere, 'one.js'), '1')
    mkdirSync(join(elsewhere, 'folder'))
    symlinkSync(join(elsewhere, 'one.js'), join(root, 'src/link.js'))
    symlinkSync(join(elsewhere, 'folder'), join(root, 'src/folder'))
    await told(1)
    await set.sweep()
    saveAtomically(join(elsewhere, 'one.js'), '22')
    await told(2)
    saveAtomically(join(elsewhere, 'one.js'), '333')
    await told(3)
    writeFileSync(join(elsewhere, 'folder/deep.js'), '1')
    await told(4)
    expect(paths()).toEqual(['src/link.js', 'src/link.js', 'src/link.js', 'src/folder/deep.js'])
  })

  test('a symlink in a circle ends', async () => {
    const { root, set, write, told, paths } = await watched(['src/**'], { 'src/a/b.js': '1' })
    symlinkSync(join(root, 'src'), join(root, 'src/a/round'))
    await set.sweep()
    write('src/a/b.js', '22')
    await told(1)
    expect(paths()).toEqual(['src/a/b.js'])
  })

  test('ignored files are silent, and speak when .gitignore no longer names them', async () => {
    const { write, told, paths, set } = await watched(['**'], {
      '.gitignore': 'out/\n',
      'a.js': '1',
      'out/x.js': '1',
    })
    write('out/x.js', '22')
    write('node_modules/p/index.js', '1')
    write('devsock.config.ts', '1')
    await set.sweep()
    expect(paths()).toEqual([])
    write('.gitignore', '')
    await told(1)
    write('out/x.js', '333')
    await eventually(() => paths().includes('out/x.js'), { what: 'the file that is no longer ignored' })
  })
})

describe('what no event tells is found all the same', () => {
  test('sweep tells every save before it, once', async () => {
    const { set, write, paths } = await watched(['src/**'], { 'src/a.js': '1', 'src/b.js': '1' }, deaf)
    write('src/a.js', '22')
    expect(await set.sweep()).toEqual(['src/a.js'])
    expect(paths()).toEqual(['src/a.js'])
    expect(await set.sweep()).toEqual([])
    // One is under way: the save after it has begun belongs to the other.
    const earlier = set.sweep()
    write('src/b.js', '22')
    write('src/new/c.js', '1')
    const [first, second] = await Promise.all([earlier, set.sweep()])
    expect([...first, ...second].sort()).toEqual(['src/b.js', 'src/new/c.js'])
    expect(paths().length).toBeLessThanOrEqual(3)
  })

  test.each([
    ['ENOSPC', 'fs.inotify.max_user_watches'],
    ['EMFILE', 'fs.inotify.max_user_instances'],
  ])('%s: it is said once which limit it is, and changes are still found', async (code, limit) => {
    const exhausted: WatchFile = () => {
      throw Object.assign(new Error(code), { code, syscall: 'inotify_add_watch' })
    }
    const { write, told, paths, problems } = await watched(['src/**'], { 'src/deep/a.js': '1' }, exhausted)
    expect(problems.length).toBe(1)
    expect(problems[0]).toContain(`sudo sysctl ${limit}=`)
    write('src/deep/a.js', '22')
    await told(1)
    write('src/deep/a.js', '333')
    await told(2)
    expect(paths()).toEqual(['src/deep/a.js', 'src/deep/a.js'])
    expect(problems.length).toBe(1)
  })
})

test('a closed watch leaves no inotify watch and tells nothing', async () => {
  const before = inotifyWatches()
  const { set, write, changes } = await watched(['src/**'], { 'src/a/b/c.js': '1' })
  expect(inotifyWatches()).toBeGreaterThan(before)
  write('src/a/b/c.js', '22')
  set.close()
  set.close()
  expect(await set.sweep()).toEqual([])
  expect(inotifyWatches()).toBe(before)
  expect(changes).toEqual([])
})
