import { type FileHandle, open } from 'node:fs/promises'
import type { Line, RawLine } from './line.ts'
import { LineSplitter } from './line-splitter.ts'
import { IndexReader, punchedBytes } from './log-index.ts'

export interface ReadOptions {
  /** Only what was written at or after this time (ms since the epoch). */
  since?: number
  /** Only the last so many lines, of those that `grep` lets through. */
  last?: number
  grep?: RegExp
  /** Begins with the line at this offset. */
  from?: number
}

const CHUNK = 64 * 1024
const NEWLINE = 0x0a

/**
 * The lines that a log has when it is asked, oldest first. Reading goes on while the file is written and punched:
 * what is punched before it was read is left out, from one line's start to another's.
 */
export async function* readLines(
  path: string,
  indexPath: string,
  options: ReadOptions,
): AsyncGenerator<Line, void, undefined> {
  const file = await openIfThere(path)
  if (file === null) return
  try {
    const { size, mtimeMs } = await file.stat()
    const index = IndexReader.load(indexPath)
    const begin = await beginning(file, size, index, options)
    const lines = select(scan(file, indexPath, begin, size), index, mtimeMs, options)
    // Without grep the beginning has been chosen so that only the last lines come.
    yield* options.last !== undefined && options.grep ? lastOf(lines, options.last) : lines
  } finally {
    await file.close()
  }
}

async function* select(
  lines: AsyncGenerator<RawLine>,
  index: IndexReader,
  mtimeMs: number,
  { since, grep }: ReadOptions,
): AsyncGenerator<Line, void, undefined> {
  // A regular expression with `g` or `y` would remember where it was.
  const matches = grep && new RegExp(grep.source, grep.flags.replace(/[gy]/g, ''))
  for await (const { offset, text } of lines) {
    const at = index.timeOf(offset) ?? mtimeMs
    if (since !== undefined && at < since) continue
    if (matches && !matches.test(text)) continue
    yield { offset, at, text }
  }
}

async function* lastOf(lines: AsyncGenerator<Line>, count: number): AsyncGenerator<Line, void, undefined> {
  let kept: Line[] = []
  for await (const line of lines) {
    kept.push(line)
    if (kept.length > 2 * count) kept = kept.slice(-count)
  }
  yield* count > 0 ? kept.slice(-count) : []
}

async function* scan(
  file: FileHandle,
  indexPath: string,
  begin: number,
  size: number,
): AsyncGenerator<RawLine> {
  const chunk = Buffer.allocUnsafe(CHUNK)
  let splitter = new LineSplitter(begin)
  while (splitter.end < size) {
    const at = splitter.end
    const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK, size - at), at)
    if (bytesRead === 0) break
    const punched = punchedBytes(indexPath)
    if (punched > at) {
      splitter = new LineSplitter(await lineStart(file, Math.min(punched, size), size))
      continue
    }
    yield* splitter.push(chunk.subarray(0, bytesRead))
  }
  yield* splitter.flush()
}

/** Where the first line begins that can be asked for. */
async function beginning(
  file: FileHandle,
  size: number,
  index: IndexReader,
  options: ReadOptions,
): Promise<number> {
  const data = await firstData(file, index.punched, size)
  const since = options.since === undefined ? 0 : index.offsetAt(options.since)
  const first = await lineStart(file, Math.max(data, since), size)
  const begin = Math.max(first, options.from ?? 0)
  if (options.last === undefined || options.grep) return begin
  return startOfLast(file, begin, size, options.last)
}

/** `at`, or the start of the next line where that is inside of one. */
async function lineStart(file: FileHandle, at: number, size: number): Promise<number> {
  if (at === 0 || at >= size) return Math.min(at, size)
  const chunk = Buffer.allocUnsafe(CHUNK)
  for (let from = at - 1; from < size; from += CHUNK) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK, from)
    const newline = chunk.subarray(0, bytesRead).indexOf(NEWLINE)
    if (newline !== -1) return Math.min(from + newline + 1, size)
    if (bytesRead === 0) break
  }
  return size
}

/** Where the last `count` lines begin, not before `begin`. */
async function startOfLast(file: FileHandle, begin: number, size: number, count: number): Promise<number> {
  if (count <= 0) return size
  const chunk = Buffer.allocUnsafe(CHUNK)
  let left = count
  // The newline at the very end ends the last line, it does not begin another.
  for (let end = size - 1; end > begin; ) {
    const from = Math.max(begin, end - CHUNK)
    const { bytesRead } = await file.read(chunk, 0, end - from, from)
    const data = chunk.subarray(0, bytesRead)
    for (
      let at = data.lastIndexOf(NEWLINE);
      at !== -1;
      at = at === 0 ? -1 : data.lastIndexOf(NEWLINE, at - 1)
    ) {
      if (--left === 0) return from + at + 1
    }
    end = from
  }
  return begin
}

/** A hole is whole blocks; fewer NULs are a program's own. */
const BLOCK = 4096

/**
 * Past the hole. The index says where that ends, except for an index that was lost, or could not be written on a
 * full disk: so blocks of NULs are skipped too.
 */
async function firstData(file: FileHandle, punched: number, size: number): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024)
  const begin = Math.min(punched, size)
  for (let at = begin, length = BLOCK; at < size; length = chunk.length) {
    const { bytesRead } = await file.read(chunk, 0, length, at)
    if (bytesRead === 0) break
    const found = chunk.subarray(0, bytesRead).findIndex((byte) => byte !== 0)
    if (found !== -1) return at + found - begin < BLOCK ? begin : at + found
    at += bytesRead
  }
  return size - begin < BLOCK ? begin : size
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
