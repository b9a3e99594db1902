import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

const SAVES = 300
/** Milliseconds between two saves, and between the halves of one, at most. */
const GAP = 100
const HALF = 40

const SETTLED = new Set(['ready', 'failed'])

/** Marsaglia's xorshift: the same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

test(`${SAVES} random saves under load: everybody is answered, and the last content is what is served (SEED=${seed})`, async () => {
  await using rig = await Rig.create({ files: { 'api.mjs': nodeServer('v0') } })
  const port = await rig.port()
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'] } })
  await rig.up()
  await rig.request(port)
  const load = rig.load({ port, rate: 40, deadline: 30_000 })
  const below = random(seed)
  const file = new SavedFile(join(rig.dir, 'api.mjs'))
  for (let save = 1; save <= SAVES; save += 1) {
    const how = WAYS[below(WAYS.length)] ?? 'good'
    await file.save(how, save, below(HALF))
    // A server gets to its end, good or bad, now and then, on a slow machine too.
    if (below(10) === 0) await rig.eventually(async () => SETTLED.has((await rig.service('api')).state))
    else await pause(below(GAP))
  }
  await file.save('good', SAVES + 1, 0)
  const served = async () => (await rig.request(port)).body === `v${SAVES + 1}`
  await rig.eventually(served, { deadline: 30_000, what: 'the last content' })
  expect(await rig.until('api', 'ready')).toMatchObject({ state: 'ready' })
  const { sent, ok, answered, refused, reset, timeout, other } = await load.stop()
  expect({ refused, reset, timeout, other }).toEqual({ refused: 0, reset: 0, timeout: 0, other: 0 })
  expect(ok + answered).toBe(sent)
  expect(ok).toBeGreaterThan(0)
  expect(answered).toBeGreaterThan(0)
})

/** Good ones are as frequent as in life. */
const WAYS = ['good', 'good', 'good', 'atomic', 'half', 'broken', 'deleted', 'restored'] as const
type Way = (typeof WAYS)[number]

/** A file as an editor, a person and a version control system treat it. */
class SavedFile {
  readonly #path: string
  #last = ''

  constructor(path: string) {
    this.#path = path
  }

  async save(how: Way, version: number, ms: number): Promise<void> {
    const content = nodeServer(`v${version}`)
    switch (how) {
      case 'good':
        return this.#write(content)
      case 'atomic':
        await writeFile(`${this.#path}~`, content)
        return rename(`${this.#path}~`, this.#path)
      case 'half':
        await this.#write(content.slice(0, content.length / 2))
        await pause(ms)
        return this.#write(content)
      case 'broken':
        return this.#write(`throw new Error('v${version}')\n${content}`)
      case 'deleted':
        this.#last = await this.#read()
        return rm(this.#path, { force: true })
      case 'restored':
        return this.#write(this.#last || content)
    }
  }

  #write(content: string): Promise<void> {
    return writeFile(this.#path, content)
  }

  async #read(): Promise<string> {
    return readFile(this.#path, 'utf8').catch(() => this.#last)
  }
}
