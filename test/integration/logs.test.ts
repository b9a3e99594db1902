import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Line } from '../../proxy/logs/line.ts'
import { LogFile } from '../../proxy/logs/log-file.ts'
import { eventually } from '../rig/eventually.ts'

const MiB = 1024 * 1024

function newLog(generation = 1): LogFile {
  const logs = mkdtempSync(join(tmpdir(), 'devsock-logs-'))
  onTestFinished(() => rmSync(logs, { recursive: true }))
  const file = new LogFile(logs, 'shop', 'api', generation)
  file.prepare()
  return file
}

/** A program whose output is appended to the log by itself, as a generation's is. */
function run(file: LogFile, script: string): ChildProcess {
  const fd = openSync(file.path, 'a', 0o600)
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', fd, fd] })
  closeSync(fd)
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const onDisk = (path: string): number => statSync(path).blocks * 512

async function texts(file: LogFile, options = {}): Promise<string[]> {
  const found: string[] = []
  for await (const { text } of file.read(options)) found.push(text)
  return found
}

/** Writes numbered lines of 100 bytes, `count` of them, in writes of a few. */
const writer = (count: number): string => `
  const { writeSync } = require('node:fs')
  for (let i = 0; i < ${count}; ) {
    let text = ''
    for (let n = 0; n < 50 && i < ${count}; n++, i++) text += ('line ' + i + ' ').padEnd(99, '.') + '\\n'
    writeSync(1, text)
  }`

test('100 MB of output stay bounded on disk, and no kept line is lost, while it is written and read', async () => {
  const file = newLog()
  const recorder = file.record()
  const total = 1_000_000
  let highest = 0
  const watch = setInterval(() => {
    highest = Math.max(highest, onDisk(file.path))
  }, 5)
  const ended = once(run(file, writer(total)), 'exit')
  // A reader in the middle of it sees whole lines in their order, with gaps only where the hole overtook it.
  await eventually(() => statSync(file.path).size > 30 * MiB)
  let before = -1
  for await (const { text } of file.read()) {
    const number = Number(/^line (\d+) \.+$/.exec(text)?.[1])
    expect(number).toBeGreaterThan(before)
    before = number
  }
  const [code] = await ended
  clearInterval(watch)
  recorder.close()
  expect(code).toBe(0)
  expect(statSync(file.path).size).toBe(total * 100)

  const kept = await texts(file)
  const first = Number(/^line (\d+) /.exec(kept[0] ?? '')?.[1])
  expect(kept.length).toBe(total - first)
  expect(kept.map((text) => Number(text.split(' ')[1]))).toEqual(
    Array.from({ length: total - first }, (_, i) => first + i),
  )
  expect(kept.length * 100).toBeGreaterThanOrEqual(16 * MiB - 4096)
  expect(onDisk(file.path)).toBeLessThan(21 * MiB)
  // What the program writes between two looks comes on top: seconds' worth would be unbounded.
  expect(highest).toBeLessThan(64 * MiB)
  // Without its index, the hole is found by its zeros.
  rmSync(file.indexPath)
  expect((await texts(file)).length).toBe(kept.length)
})

test('lines are told as they come, none twice and none lost, also the last one without an end', async () => {
  const file = newLog()
  const lines: Line[] = []
  let batches = 0
  const follower = file.follow((batch) => {
    batches++
    lines.push(...batch)
  })
  onTestFinished(() => follower.close())
  const child = run(file, `${writer(50_000)}; writeSync(1, 'no end')`)
  await once(child, 'exit')
  follower.drain()
  expect(lines.length).toBe(50_001)
  expect(lines.every(({ text }, i) => i === 50_000 || text.startsWith(`line ${i} `))).toBe(true)
  expect(lines.at(-1)?.text).toBe('no end')
  expect(batches).toBeLessThan(1_000)
})

test('a single line of a quiet program is told at once, and again after the file has been quiet', async () => {
  const file = newLog()
  writeFileSync(file.path, 'old\n')
  const lines: string[] = []
  const follower = file.follow((batch) => lines.push(...batch.map(({ text }) => text)))
  onTestFinished(() => follower.close())
  for (const text of ['one', 'two', 'three']) {
    appendFileSync(file.path, `${text}\n`)
    await eventually(() => lines.includes(text), { deadline: 900, what: `the line ${text}` })
  }
  follower.close()
  appendFileSync(file.path, 'after\n')
  follower.drain()
  expect(lines).toEqual(['one', 'two', 'three'])
})

test('following goes on from an offset, with the times of what was there', async () => {
  const file = newLog()
  const recorder = file.record()
  appendFileSync(file.path, 'one\ntwo\n')
  recorder.close()
  const lines: Line[] = []
  const follower = file.follow((batch) => lines.push(...batch), { from: 4 })
  onTestFinished(() => follower.close())
  await eventually(() => lines.length === 1)
  expect(lines[0]).toMatchObject({ offset: 4, text: 'two' })
  expect(lines[0]?.at).toBeLessThanOrEqual(Date.now())
})

test('following from the beginning of a punched log begins with a whole line', async () => {
  const file = newLog()
  using recorder = file.record({ keep: MiB, step: MiB })
  const child = run(file, writer(50_000))
  await once(child, 'exit')
  recorder.close()
  const lines: Line[] = []
  const follower = file.follow((batch) => lines.push(...batch), { from: 0 })
  onTestFinished(() => follower.close())
  follower.drain()
  const first = Number(/^line (\d+) /.exec(lines[0]?.text ?? '')?.[1])
  expect(first).toBeGreaterThan(0)
  expect(lines.map(({ text }) => text)).toEqual(await texts(file))
})

test('times go on after the daemon was away; what was written meanwhile has the time of its last write', async () => {
  const file = newLog()
  const first = file.record()
  appendFileSync(file.path, 'before\n')
  first.close()
  appendFileSync(file.path, 'meanwhile\n')
  const away = new Date(Date.now() + 60_000)
  utimesSync(file.path, away, away)
  const second = file.record()
  appendFileSync(file.path, 'after\n')
  second.close()
  second.close()
  const lines: Line[] = []
  for await (const line of file.read()) lines.push(line)
  expect(lines.map(({ text }) => text)).toEqual(['before', 'meanwhile', 'after'])
  expect(Math.abs((lines[1]?.at ?? 0) - away.getTime())).toBeLessThan(2)
  expect(lines[0]?.at).toBeLessThan(away.getTime() - 50_000)
})

test('a nearly full disk: logs are cut shorter, and it is said once', async () => {
  const file = newLog()
  const problems: string[] = []
  using _ = file.record({
    onProblem: (message) => problems.push(message),
    diskSpace: async () => ({ free: 10 * MiB, total: 1000 * MiB }),
  })
  appendFileSync(file.path, 'x\n')
  await eventually(() => problems.length > 0)
  for (let i = 0; i < 8; i++) appendFileSync(file.path, `${'y'.repeat(99)}\n`.repeat(MiB / 100))
  await eventually(() => onDisk(file.path) < 3 * MiB)
  expect(problems).toEqual([expect.stringMatching(/nearly full \(10 MiB free\)/)])
})

test('a file system without holes: it is said once, and nothing is cut', async () => {
  const file = newLog()
  const problems: string[] = []
  using _ = file.record({
    keep: MiB,
    step: MiB,
    onProblem: (message) => problems.push(message),
    punch: () => {
      throw Object.assign(new Error('fallocate'), { code: 'EOPNOTSUPP', syscall: 'fallocate' })
    },
  })
  const line = `${'y'.repeat(99)}\n`
  for (let i = 0; i < 4; i++) appendFileSync(file.path, line.repeat(10_000))
  await eventually(() => problems.length > 0)
  for (let i = 0; i < 4; i++) appendFileSync(file.path, line.repeat(10_000))
  expect((await texts(file)).length).toBe(80_000)
  expect(problems).toEqual([expect.stringContaining('cannot punch holes')])
})
