import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DevsockEvent } from '../../proxy/protocol.ts'
import { CHECKOUT, Rig } from '../rig/rig.ts'

/**
 * A copy of an example as the rig's project, with ports of the test's own: each number in `ports` is
 * replaced in every file.
 */
async function rigWith(example: string, ports: number[] = []): Promise<{ rig: Rig; ports: number[] }> {
  const rig = await Rig.create()
  await cp(join(CHECKOUT, 'examples', example), rig.dir, { recursive: true })
  const own = await Promise.all(ports.map(() => rig.port()))
  for (const entry of await readdir(rig.dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || !/\.(js|json|ts|py)$/.test(entry.name)) continue
    let text = await readFile(path, 'utf8')
    for (const [index, port] of ports.entries()) text = text.replaceAll(String(port), String(own[index]))
    await writeFile(path, text)
  }
  return { rig, ports: own }
}

const logs = async (rig: Rig, service: string) => (await rig.devsock('logs', service)).stdout

test('quickstart: one request to the web port starts web and api, in no declared order', async () => {
  const { rig, ports } = await rigWith('quickstart', [4600, 4601])
  await using _ = rig
  const [web = 0, api = 0] = ports
  await rig.up()
  expect((await rig.service('web')).state).toBe('held')
  expect((await rig.service('api')).state).toBe('held')
  const page = await rig.request(web)
  expect(page.status).toBe(200)
  expect(page.body).toContain('Notes on a held port')
  await rig.eventually(async () => (await rig.service('api')).state === 'ready', { what: 'api ready' })
  expect((await rig.service('api')).sockets[0]?.port).toBe(api)
})

test('quickstart: a save swaps the api and no note is lost', async () => {
  const { rig, ports } = await rigWith('quickstart', [4600, 4601])
  await using _ = rig
  const [web = 0, api = 0] = ports
  await rig.up()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const added = await rig.request(web, '/', { method: 'POST', headers, body: 'author=ada&text=kept' })
  expect(added.status).toBe(303)
  await rig.edit('api/server.js', (text) => text.replace("'a note needs a text'", "'a note needs words'"))
  // The old code may not answer a request that is sent after `wait`.
  const waited = await rig.devsock('wait', 'api')
  expect(waited.code, waited.stdout + waited.stderr).toBe(0)
  const refused = await rig.request(api, '/notes', { method: 'POST', body: '{"text":" "}' })
  expect(refused.json()).toEqual({ error: 'a note needs words' })
  expect((await rig.request(web)).body).toContain('kept')
  expect((await rig.service('api')).generation).toBe(2)
})

test('smallest: the first connection starts the server', async () => {
  const { rig, ports } = await rigWith('smallest', [4610])
  await using _ = rig
  const [port = 0] = ports
  await rig.up()
  expect((await rig.request(port)).body).toMatch(/hello from pid \d+, answer 1/)
})

test('chain: one request starts four servers, and each is known to have been woken by the one before', async () => {
  const { rig, ports } = await rigWith('chain', [4640, 4641, 4642, 4643])
  await using _ = rig
  const [web = 0] = ports
  const up = rig.start('up', '--json')
  const events = () =>
    up.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as DevsockEvent)
  await rig.eventually(() => events().some(({ type }) => type === 'snapshot'))
  expect((await rig.request(web)).body).toBe('12 pears at 45 cents\n')
  // The last that was told of each: when it was ready, too.
  const wakes = () =>
    new Map(
      events().flatMap((event) => (event.type === 'wake' ? [[event.service, event.wake] as const] : [])),
    )
  await rig.eventually(() => [...wakes().values()].filter(({ ms }) => ms !== null).length === 4)
  const from = (service: string) => wakes().get(service)?.from
  expect(from('web')).toBe('node')
  expect(wakes().get('web')?.fromGeneration).toBe(null)
  expect([from('shop'), from('stock'), from('prices')]).toEqual(['chain/web', 'chain/shop', 'chain/shop'])
  expect(wakes().get('stock')?.fromGeneration).toBe(1)
  up.kill('SIGINT')
  expect((await up.finished()).code).toBe(130)
})

test('worker: it runs without a socket, and a save replaces it', async () => {
  const { rig } = await rigWith('worker')
  await using _ = rig
  await rig.up()
  await rig.eventually(async () => (await logs(rig, 'tick')).includes('tick 1 of generation 1'))
  await rig.edit('tick.js', (text) => text.replace('`tick ', '`tock '))
  await rig.eventually(async () => (await logs(rig, 'tick')).includes('tock 1 of generation 2'))
})

test('unix-socket: the path is held and its first connection starts the server', async () => {
  const { rig } = await rigWith('unix-socket')
  await using _ = rig
  await rig.up()
  const answer = await rig.request(0, '/', { socketPath: join(rig.dir, 'app.sock') })
  expect(answer.body).toMatch(/hello over a unix socket/)
})

test('python-notify: under overlap the old generation answers until READY=1 of the new one', async () => {
  const { rig, ports } = await rigWith('python-notify', [4620])
  await using _ = rig
  const [port = 0] = ports
  // Long enough to tell who waits for it from who waits for a busy machine.
  await rig.edit('server.py', (text) => text.replace('sleep(0.3)', 'sleep(1.5)'))
  await rig.up()
  expect((await rig.request(port)).body).toBe('hello from generation 1\n')
  await using load = rig.load({ port, rate: 50 })
  await rig.edit('server.py', (text) => text.replace('hello from', 'greetings from'))
  await rig.eventually(() => [...load.result.bodies.keys()].includes('greetings from generation 2\n'))
  const { ok, sent, slowestMs, failures } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  expect(slowestMs).toBeLessThan(1500)
})
