import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { StateFile } from '../../proxy/services/state-file.ts'

let folder: string
let content = 0
const make = () => new StateFile(join(folder, 'state.json'), () => ({ content, writes: ++writes }), failed)
let writes = 0
const failed = (error: unknown) => {
  throw error
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devsock-state-'))
  content = writes = 0
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true })
})

const read = async (file: StateFile) => JSON.parse(await readFile(file.path, 'utf8'))

test('what is touched is written once a turn, and is there when saved() resolves', async () => {
  const file = make()
  content = 1
  file.touch()
  content = 2
  file.touch()
  await file.saved()
  expect(await read(file)).toEqual({ content: 2, writes: 1 })
})

test('what may wait is written with what may not, once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const file = make()
  file.touchSoon()
  content = 3
  file.touch()
  await file.saved()
  expect(vi.getTimerCount()).toBe(0)
  expect(await read(file)).toEqual({ content: 3, writes: 1 })
})

test('what may wait is written by itself, and before anybody is told that all is saved', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const file = make()
  file.touchSoon()
  vi.runAllTimers()
  await file.saved()
  expect(writes).toBe(1)
  file.touchSoon()
  await file.saved()
  expect(writes).toBe(2)
})

test('a file that was removed does not come back', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const file = make()
  file.touchSoon()
  file.remove()
  expect(vi.getTimerCount()).toBe(0)
})
