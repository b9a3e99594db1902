import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Line } from '../../proxy/logs/line.ts'
import { LineSplitter, LONGEST_LINE } from '../../proxy/logs/line-splitter.ts'
import { LogFile } from '../../proxy/logs/log-file.ts'
import { IndexReader, IndexWriter } from '../../proxy/logs/log-index.ts'
import { mergeByTime, readMerged } from '../../proxy/logs/merge.ts'
import { loggedGenerations, retain } from '../../proxy/logs/retention.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'devsock-logs-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

/** A log with an index that says of each part when it was written. */
function log(parts: [text: string | Buffer, at: number][], generation = 1, logs = folder()): LogFile {
  const file = new LogFile(logs, 'shop', 'api', generation)
  file.prepare()
  using index = new IndexWriter(file.indexPath)
  for (const [text, at] of parts) {
    appendFileSync(file.path, text)
    index.append(statSync(file.path).size, at)
  }
  return file
}

async function texts(lines: AsyncIterable<{ text: string }>): Promise<string[]> {
  const found: string[] = []
  for await (const { text } of lines) found.push(text)
  return found
}

describe('bytes become lines', () => {
  const split = (bytes: Buffer, sizes: readonly number[]) => {
    const splitter = new LineSplitter(0)
    const lines = []
    let from = 0
    for (const size of sizes) {
      lines.push(...splitter.push(bytes.subarray(from, from + size)))
      from += size
    }
    lines.push(...splitter.push(bytes.subarray(from)), ...splitter.flush())
    return lines
  }

  test('the same ones, whatever pieces they come in, and each where its offset says', () => {
    const bytes = fc.array(fc.constantFrom(0x0a, 0x0d, 0x61, 0xc3, 0xa9, 0x00, 0xff), { maxLength: 60 })
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(9)), (values, sizes) => {
        const data = Buffer.from(values)
        const lines = split(data, sizes)
        expect(lines).toEqual(split(data, []))
        for (const { offset, text } of lines) {
          expect(offset === 0 || data[offset - 1] === 0x0a).toBe(true)
          expect(data.toString('utf8', offset).startsWith(text)).toBe(true)
        }
      }),
    )
  })

  test('line ends of either kind go, undecodable bytes are U+FFFD, NULs stay', () => {
    const bytes = Buffer.concat([
      Buffer.from('a\r\nb\n\r\n'),
      Buffer.from([0xff, 0x00, 0x41, 0x0a]),
      Buffer.from('end'),
    ])
    expect(split(bytes, []).map(({ text }) => text)).toEqual(['a', 'b', '', '\ufffd\0A', 'end'])
  })

  test('an overlong line comes in pieces, between characters', () => {
    const line = `x${'é'.repeat(LONGEST_LINE)}`
    const lines = split(Buffer.from(`${line}\nnext\n`), [10_000, 50_000])
    expect(lines.at(-1)?.text).toBe('next')
    const pieces = lines.slice(0, -1)
    expect(pieces.map(({ text }) => text).join('')).toBe(line)
    for (const { text } of pieces) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LONGEST_LINE)
  })
})

describe('a log is read', () => {
  test('whole, with the time of each line', async () => {
    const file = log([
      ['one\ntwo\n', 1_000],
      ['three\n', 2_000],
      ['unfinished', 3_000],
    ])
    const lines: Line[] = []
    for await (const line of file.read()) lines.push(line)
    expect(lines).toEqual([
      { offset: 0, at: 1_000, text: 'one' },
      { offset: 4, at: 1_000, text: 'two' },
      { offset: 8, at: 2_000, text: 'three' },
      { offset: 14, at: 3_000, text: 'unfinished' },
    ])
  })

  test('since a time, by its last lines, by a pattern, from an offset', async () => {
    const file = log([
      ['a1\na2\n', 1_000],
      ['b1\nb2\n', 2_000],
      ['a3\n', 3_000],
    ])
    expect(await texts(file.read({ since: 2_000 }))).toEqual(['b1', 'b2', 'a3'])
    expect(await texts(file.read({ since: 1_500 }))).toEqual(['b1', 'b2', 'a3'])
    expect(await texts(file.read({ since: 9_000 }))).toEqual([])
    expect(await texts(file.read({ last: 2 }))).toEqual(['b2', 'a3'])
    expect(await texts(file.read({ last: 0 }))).toEqual([])
    expect(await texts(file.read({ last: 99 }))).toHaveLength(5)
    expect(await texts(file.read({ grep: /^a/g }))).toEqual(['a1', 'a2', 'a3'])
    expect(await texts(file.read({ grep: /^a/, last: 2 }))).toEqual(['a2', 'a3'])
    expect(await texts(file.read({ from: 6 }))).toEqual(['b1', 'b2', 'a3'])
    expect(await texts(file.read({ since: 2_000, last: 1 }))).toEqual(['a3'])
  })

  test('the last lines of a long one, over the borders of what is read at once', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 17)}`)
    const file = log([[`${lines.join('\n')}\n`, 1_000]])
    expect(await texts(file.read({ last: 12_345 }))).toEqual(lines.slice(-12_345))
  })

  test('a time inside of a line that came in two writes belongs to its beginning', async () => {
    const file = log([
      ['half a ', 1_000],
      ['line\nnext\n', 2_000],
    ])
    expect(await texts(file.read({ since: 2_000 }))).toEqual(['next'])
  })

  test('without index, without file, and with one that is no index', async () => {
    const file = log([['a\nb\n', 1_000]])
    rmSync(file.indexPath)
    expect(await texts(file.read())).toEqual(['a', 'b'])
    writeFileSync(file.indexPath, 'something else')
    expect(await texts(file.read({ last: 1 }))).toEqual(['b'])
    rmSync(file.path)
    expect(await texts(file.read())).toEqual([])
  })

  test('binary output is lines too', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 256))
    const found = await texts(
      log([[Buffer.concat([Buffer.alloc(8), bytes, Buffer.from('\nend\n')]), 1_000]]).read(),
    )
    expect(found[0]?.startsWith('\0\0\0\0\0\0\0\0')).toBe(true)
    expect(found.at(-1)).toBe('end')
  })

  test('a torn pair at the end of an index is as if it had not been written', () => {
    const file = log([
      ['a\n', 1_000],
      ['b\n', 2_000],
    ])
    appendFileSync(file.indexPath, Buffer.alloc(7))
    expect(IndexReader.load(file.indexPath).timeOf(2)).toBe(2_000)
    using index = new IndexWriter(file.indexPath)
    index.append(6, 3_000)
    expect(IndexReader.load(file.indexPath).timeOf(5)).toBe(3_000)
  })
})

describe('several logs are read as one', () => {
  test('by time, and lines of one time stay with their source', async () => {
    async function* source(name: string, times: number[]) {
      for (const at of times) yield { at, text: `${name}${at}` }
    }
    const merged = mergeByTime([source('a', [1, 3, 3, 9]), source('b', [2, 3]), source('c', [])])
    expect(await texts(merged)).toEqual(['a1', 'b2', 'a3', 'a3', 'b3', 'a9'])
  })

  test('across generations, the last lines of all together', async () => {
    const logs = folder()
    const first = log(
      [
        ['old\n', 1_000],
        ['late\n', 3_000],
      ],
      1,
      logs,
    )
    const second = log(
      [
        ['new\n', 2_000],
        ['newest\n', 4_000],
      ],
      2,
      logs,
    )
    const lines = []
    for await (const { generation, service, text } of readMerged([first, second], { last: 3 }))
      lines.push({ generation, service, text })
    expect(lines).toEqual([
      { generation: 2, service: 'api', text: 'new' },
      { generation: 1, service: 'api', text: 'late' },
      { generation: 2, service: 'api', text: 'newest' },
    ])
  })
})

test('the logs of the last generations stay, and those of one that runs', () => {
  const logs = folder()
  for (let generation = 1; generation <= 15; generation++) log([['x\n', 1]], generation, logs)
  retain(logs, 'shop', 'api', new Set([2]), 10)
  expect(loggedGenerations(logs, 'shop', 'api')).toEqual([2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  expect(existsSync(new LogFile(logs, 'shop', 'api', 5).indexPath)).toBe(false)
  expect(existsSync(new LogFile(logs, 'shop', 'api', 2).indexPath)).toBe(true)
  retain(logs, 'shop', 'nobody', new Set())
})

test('a project or service is one folder below the logs, whatever it is called', () => {
  const logs = folder()
  for (const name of ['@shop/web', '..', '.', 'a b:c\n', 'é/../..']) {
    const file = new LogFile(logs, name, name, 1)
    expect(file.path.slice(logs.length).split('/')).toHaveLength(4)
    file.prepare()
    expect(statSync(join(file.path, '..')).isDirectory()).toBe(true)
  }
  mkdirSync(join(logs, 'after'))
})

describe('a screen is told of a flood what a person could have read', () => {
  function followed(hasty: boolean) {
    const file = new LogFile(folder(), 'shop', 'api', 1)
    file.prepare()
    writeFileSync(file.path, '')
    const told: { lines: Line[]; passed: number }[] = []
    const follower = file.follow((lines, passed) => told.push({ lines, passed }), { from: 0 })
    follower.hasty = hasty
    return { file, told, follower }
  }
  // 256 KiB are read at a time; this is twice that.
  const flood = Array.from({ length: 40_000 }, (_, index) => `line ${String(index).padStart(8)}`)

  test('the end, and how many bytes were left out; every byte is in one or the other', () => {
    const { file, told, follower } = followed(true)
    using _ = follower
    appendFileSync(file.path, `${flood.join('\n')}\n`)
    follower.drain()
    const lines = told.flatMap((batch) => batch.lines)
    expect(lines.at(-1)?.text).toBe(flood.at(-1))
    expect(lines.length).toBeLessThanOrEqual(1_000)
    const bytes = lines.reduce((sum, { text }) => sum + text.length + 1, 0)
    expect(told.reduce((sum, { passed }) => sum + passed, bytes)).toBe(statSync(file.path).size)
  })

  test('everything where all of it is wanted', () => {
    const { file, told, follower } = followed(false)
    using _ = follower
    appendFileSync(file.path, `${flood.join('\n')}\n`)
    follower.drain()
    expect(told.flatMap(({ lines }) => lines.map(({ text }) => text))).toEqual(flood)
    expect(told.every(({ passed }) => passed === 0)).toBe(true)
  })

  test('and ten thousand lines a second whole', () => {
    const { file, told, follower } = followed(true)
    using _ = follower
    const look = Array.from({ length: 250 }, (_, index) => `${index} ${'x'.repeat(200)}`)
    for (let each = 0; each < 4; each++) {
      appendFileSync(file.path, `${look.join('\n')}\n`)
      follower.drain()
    }
    expect(told.reduce((sum, { passed, lines }) => sum + passed * 1_000 + lines.length, 0)).toBe(1_000)
  })
})
