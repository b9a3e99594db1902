import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { locateFolders, prepareFolders } from '../../cli/folders.ts'

let base = ''
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'devsock-folders-'))
  base = folder
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
})

const foldersAt = (state: string, runtime = join(state, 'run')) =>
  locateFolders({ DEVSOCK_STATE_DIR: state, DEVSOCK_RUNTIME_DIR: runtime })

const failureOf = (result: ReturnType<typeof prepareFolders>) => (result.ok ? null : result.failure)

test('the environment names the folders: DEVSOCK_…, then XDG_STATE_HOME, then ~/.local/state', () => {
  expect(locateFolders({ HOME: '/home/ann' })).toEqual({
    state: '/home/ann/.local/state/devsock',
    runtime: '/home/ann/.local/state/devsock/run',
    controlSocket: '/home/ann/.local/state/devsock/run/control.sock',
    holderSocket: '/home/ann/.local/state/devsock/run/holder.sock',
    log: '/home/ann/.local/state/devsock/holder.log',
  })
  expect(locateFolders({ HOME: '/home/ann', XDG_STATE_HOME: '/x' }).state).toBe('/x/devsock')
  expect(locateFolders({ HOME: '/h', XDG_STATE_HOME: '/x', DEVSOCK_STATE_DIR: '/s' }).runtime).toBe('/s/run')
  expect(locateFolders({ HOME: '/h', DEVSOCK_STATE_DIR: '/s', DEVSOCK_RUNTIME_DIR: '/r' })).toMatchObject({
    state: '/s',
    runtime: '/r',
  })
})

test('missing folders are made 0700, whatever the umask', () => {
  const before = process.umask(0o277)
  onTestFinished(() => void process.umask(before))
  const result = prepareFolders(foldersAt(join(base, 'a')))
  process.umask(before)
  expect(failureOf(result)).toBeNull()
  for (const folder of ['a', 'a/run']) expect(statSync(join(base, folder)).mode & 0o777).toBe(0o700)
})

test('a folder that others can enter is refused with the chmod that closes it', () => {
  const state = join(base, 'open')
  mkdirSync(state)
  chmodSync(state, 0o755)
  expect(failureOf(prepareFolders(foldersAt(state)))).toMatchObject({
    code: 'folder-unsafe',
    message: expect.stringContaining('0755'),
    hint: `chmod 700 ${state}`,
  })
})

test('a symbolic link is refused, even to a folder that is fine', () => {
  mkdirSync(join(base, 'real'), { mode: 0o700 })
  symlinkSync(join(base, 'real'), join(base, 'link'))
  expect(failureOf(prepareFolders(foldersAt(join(base, 's'), join(base, 'link'))))).toMatchObject({
    code: 'folder-unsafe',
    message: expect.stringContaining('symbolic link'),
    hint: expect.stringContaining(join(base, 'real')),
  })
})

test('a link that leads nowhere, a file, and a path through a file are refused', () => {
  writeFileSync(join(base, 'file'), '')
  symlinkSync(join(base, 'nowhere'), join(base, 'dangling'))
  for (const name of ['file', 'dangling', 'file/below']) {
    expect(failureOf(prepareFolders(foldersAt(join(base, name))))?.code).toBe('folder-unsafe')
  }
})

test('below a folder where everybody may rename it away it is refused; the sticky bit makes that safe', () => {
  const shared = join(base, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o777)
  expect(failureOf(prepareFolders(foldersAt(join(shared, 'mine'))))?.message).toContain(shared)
  chmodSync(shared, 0o1777)
  expect(failureOf(prepareFolders(foldersAt(join(shared, 'mine'))))).toBeNull()
})

test('a folder of another user is refused', () => {
  const isRoot = process.getuid?.() === 0
  const theirs = isRoot ? join(base, 'theirs') : '/usr'
  if (isRoot) {
    mkdirSync(theirs, { mode: 0o700 })
    chownSync(theirs, 12345, 12345)
  }
  expect(failureOf(prepareFolders(foldersAt(theirs)))).toMatchObject({
    code: 'folder-unsafe',
    message: expect.stringContaining(`belongs to the user with the id ${isRoot ? 12345 : 0}`),
  })
})

test('a socket path that the kernel would cut is refused before anything is made', () => {
  const runtime = join(base, 'x'.repeat(107 - base.length - '//control.sock'.length))
  expect(failureOf(prepareFolders(foldersAt(join(base, 's'), runtime)))).toBeNull()
  expect(failureOf(prepareFolders(foldersAt(join(base, 's'), `${runtime}é`)))).toMatchObject({
    code: 'path-too-long',
    message: expect.stringContaining('109 bytes'),
    hint: expect.stringContaining('DEVSOCK_RUNTIME_DIR'),
  })
  expect(() => statSync(`${runtime}é`)).toThrow()
})
