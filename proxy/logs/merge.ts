import type { Line } from './line.ts'
import type { LogFile } from './log-file.ts'
import type { ReadOptions } from './read-lines.ts'

/** A line and whose it is. */
export interface SourcedLine extends Line {
  project: string
  service: string
  generation: number
}

/** Several logs as one, by time; `last` counts the lines of all together, offsets have no common meaning. */
export async function* readMerged(
  files: readonly LogFile[],
  options: Omit<ReadOptions, 'from'> = {},
): AsyncGenerator<SourcedLine, void, undefined> {
  const merged = mergeByTime(files.map((file) => sourced(file, options)))
  if (options.last === undefined) return yield* merged
  const lines: SourcedLine[] = []
  for await (const line of merged) lines.push(line)
  yield* options.last > 0 ? lines.slice(-options.last) : []
}

async function* sourced(file: LogFile, options: ReadOptions): AsyncGenerator<SourcedLine, void, undefined> {
  const { project, service, generation } = file
  for await (const line of file.read(options)) yield { ...line, project, service, generation }
}

/**
 * Sources that are in order themselves become one in order; at equal times the earlier source goes first, so that
 * lines of one source stay together.
 */
export async function* mergeByTime<T extends { at: number }>(
  sources: readonly AsyncGenerator<T, void, undefined>[],
): AsyncGenerator<T, void, undefined> {
  const heads: { source: AsyncGenerator<T, void, undefined>; line: T }[] = []
  try {
    for (const source of sources) {
      const next = await source.next()
      if (!next.done) heads.push({ source, line: next.value })
    }
    for (let head = earliest(heads); head; head = earliest(heads)) {
      yield head.line
      const next = await head.source.next()
      if (next.done) heads.splice(heads.indexOf(head), 1)
      else head.line = next.value
    }
  } finally {
    // Whoever reads may stop early; the files are to be closed then too.
    await Promise.all(sources.map((source) => source.return(undefined)))
  }
}

function earliest<T extends { line: { at: number } }>(heads: readonly T[]): T | undefined {
  return heads.reduce<T | undefined>(
    (best, head) => (best && best.line.at <= head.line.at ? best : head),
    undefined,
  )
}
