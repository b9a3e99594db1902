import type { ServerResponse } from 'node:http'
import type { z } from 'zod'
import type { Follower } from '../logs/follower.ts'
import type { Line } from '../logs/log-file.ts'
import { readMerged } from '../logs/merge.ts'
import { fail, type LogLine, ok, type Result } from '../protocol.ts'
import type { Member } from '../services/member.ts'
import type { LogQuery } from './requests.ts'

type Query = z.output<typeof LogQuery>

/** Lines shown where nothing says how many. */
const DEFAULT_LAST = 100

/** Bytes that a follower may leave unread. */
const MAX_BEHIND = 8 * 1024 * 1024

/** How often a follower looks for a generation that is new. */
const LOOK_MS = 250

/** Writes lines of a service as NDJSON; with `follow`, those to come as well, until the client goes. */
export async function streamLogs(
  member: Member,
  query: Query,
  response: ServerResponse,
): Promise<Result<null>> {
  const grep = expression(query.grep)
  if (!grep.ok) return grep
  const { unit } = member
  const chosen = chosenGenerations(unit.logged(), query)
  const since = query.since === undefined ? undefined : Date.parse(query.since)
  const last = query.last ?? (since === undefined ? DEFAULT_LAST : undefined)
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  // A follower of a silent service waits for its first line, not for an answer.
  response.flushHeaders()
  const output = new Output(member, grep.value, response)
  // Followers first, so that nothing falls between what is read and what is followed.
  if (query.follow !== undefined) {
    const growing = chosen.filter((each) => unit.leaders.has(each) || each === chosen.at(-1))
    output.follow(growing, { later: query.generation === undefined })
  }
  const files = chosen.map((generation) => unit.log(generation))
  for await (const line of readMerged(files, { since, last, grep: grep.value })) {
    output.write(line.generation, line)
    if (response.writableNeedDrain) await drained(response)
    if (response.destroyed) break
  }
  if (query.follow === undefined) response.end()
  else output.release()
  return ok(null)
}

/** Who asks for all of a long log reads it at a pace of their own. */
async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

function expression(text: string | undefined): Result<RegExp | undefined> {
  if (text === undefined) return ok(undefined)
  try {
    return ok(new RegExp(text))
  } catch (error) {
    return fail(
      'usage',
      `--grep ${text} is not a regular expression`,
      error instanceof Error ? error.message : null,
    )
  }
}

function chosenGenerations(all: number[], { generation, previous }: Query): number[] {
  if (generation !== undefined) return all.filter((each) => each === generation)
  return previous === undefined ? all : all.slice(-2, -1)
}

class Output {
  readonly #member: Member
  readonly #grep: RegExp | undefined
  readonly #response: ServerResponse
  readonly #followers = new Map<number, Follower>()
  /** Offset of the last line written, by generation. */
  readonly #written = new Map<number, number>()
  /** What followers told while the past was still being read; null after. */
  #ahead: [generation: number, line: Line][] | null = []

  constructor(member: Member, grep: RegExp | undefined, response: ServerResponse) {
    this.#member = member
    this.#grep = grep
    this.#response = response
  }

  write(generation: number, { at, text, offset }: Line): void {
    this.#written.set(generation, offset)
    const { project, name: service } = this.#member.unit
    const line: LogLine = { at: new Date(at).toISOString(), project, service, generation, offset, text }
    this.#response.write(`${JSON.stringify(line)}\n`)
    if (this.#response.writableLength > MAX_BEHIND) this.#response.destroy()
  }

  /** Follows these generations from now on, and with `later` every one that comes. */
  follow(generations: number[], { later }: { later: boolean }): void {
    for (const generation of generations) this.#add(generation, undefined)
    const { unit } = this.#member
    const known = new Set(unit.logged())
    const look = (): void => {
      for (const generation of unit.logged()) {
        if (known.has(generation)) continue
        known.add(generation)
        this.#add(generation, 0)
      }
    }
    const timer = later ? setInterval(look, LOOK_MS) : undefined
    this.#response.on('close', () => {
      clearInterval(timer)
      for (const follower of this.#followers.values()) follower.close()
    })
  }

  /** The past has been written: what came meanwhile follows. */
  release(): void {
    const ahead = this.#ahead ?? []
    this.#ahead = null
    for (const [generation, line] of ahead) this.#told(generation, line)
  }

  #add(generation: number, from: number | undefined): void {
    const tell = (lines: Line[]): void => {
      for (const line of lines) {
        if (this.#ahead) this.#ahead.push([generation, line])
        else this.#told(generation, line)
      }
    }
    this.#followers.set(generation, this.#member.unit.log(generation).follow(tell, { from }))
  }

  #told(generation: number, line: Line): void {
    if (line.offset <= (this.#written.get(generation) ?? -1)) return
    if (this.#grep === undefined || this.#grep.test(line.text)) this.write(generation, line)
  }
}
