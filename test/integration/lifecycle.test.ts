/** The life of a service as people steer it: how it starts, sleeps, stops, comes back and is given up. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

/** A project with one service `api`, which answers `v1`. */
async function withApi(more: object = {}, extra = ''): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create({ files: { 'api.mjs': nodeServer('v1', extra) } })
  const port = await rig.port()
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], ...more } })
  return { rig, port }
}

const pidOf = async (rig: Rig, port: number): Promise<string> => (await rig.request(port, '/pid')).body

const refusal = (port: number): Promise<string> =>
  Rig.prototype.request(port).then(
    ({ body }) => `answered ${body}`,
    (error: NodeJS.ErrnoException) => String(error.code),
  )

test('on-demand waits for a connection, eager for nothing, manual for a start', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const service = async (start: string) => ({
    command: ['node', 'server.mjs'],
    listen: await rig.port(),
    start,
  })
  const [lazy, eager, manual] = [await service('on-demand'), await service('eager'), await service('manual')]
  await rig.configure({ lazy, eager, manual })
  await rig.up()
  await rig.until('eager', 'ready')
  expect(await rig.service('lazy')).toMatchObject({ state: 'held', generation: 0 })
  expect((await rig.request(lazy.listen)).body).toBe('v1')
  expect(await rig.service('lazy')).toMatchObject({ generation: 1, activations: 1 })

  // Nobody may hang at a port that is held and will not be served before somebody says so.
  const told = await rig.request(manual.listen)
  expect(told.status).toBe(503)
  expect(told.body).toContain('waits for a start')
  expect((await rig.service('manual')).generation).toBe(0)
  await rig.succeed('start', 'manual')
  await rig.succeed('wait', 'manual')
  expect((await rig.request(manual.listen)).body).toBe('v1')
})

test('sleep ends the process and keeps the port: under load nobody is refused and the next one wakes it', async () => {
  const { rig, port } = await withApi()
  await using _ = rig
  await rig.up()
  const first = await pidOf(rig, port)
  const load = rig.load({ port, rate: 50 })
  await rig.eventually(() => load.result.ok > 5)
  await rig.succeed('sleep', 'api')
  await rig.eventually(async () => (await rig.service('api')).generation > 1)
  const sofar = load.result.sent
  await rig.eventually(() => load.result.sent > sofar + 20)
  const { ok, sent, failures } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  expect(await pidOf(rig, port)).not.toBe(first)
  await rig.succeed('sleep', 'api')
  const asleep = await rig.until('api', 'held')
  expect(asleep).toMatchObject({ pid: null, reason: { code: 'requested', message: 'asleep by request' } })
})

test('an idle service sleeps once nothing is connected, and wakes for the next connection', async () => {
  const { rig, port } = await withApi({ idle: '300ms' })
  await using _ = rig
  await rig.up()
  const open = connect(port, '127.0.0.1')
  await once(open, 'connect')
  await rig.until('api', 'ready')
  const connectedAt = performance.now()
  // As long as somebody is connected it stays, however long he says nothing.
  await rig.eventually(() => performance.now() - connectedAt > 900)
  expect((await rig.service('api')).state).toBe('ready')
  open.destroy()
  expect((await rig.until('api', 'held')).reason.code).toBe('idle')
  expect((await rig.request(port)).body).toBe('v1')
  expect((await rig.service('api')).generation).toBeGreaterThan(1)
})

test('stop releases the port for others, start takes it again', async () => {
  const { rig, port } = await withApi()
  await using _ = rig
  await rig.up()
  await rig.request(port)
  await rig.succeed('stop', 'api')
  expect(await rig.service('api')).toMatchObject({ state: 'stopped', desired: 'down', pid: null })
  expect(await refusal(port)).toBe('ECONNREFUSED')

  const other = createServer().listen(port)
  await once(other, 'listening')
  const taken = await rig.devsock('start', 'api')
  expect({ code: taken.code, text: taken.stderr }).toEqual({
    code: 3,
    text: expect.stringContaining(`port ${port}`),
  })
  other.close()
  await rig.until('api', 'ready')
  await rig.succeed('stop', 'api')
  await rig.succeed('start', 'api')
  expect((await rig.request(port)).body).toBe('v1')
})

test('restart swaps what runs, starts what is held, and tries again what failed', async () => {
  const { rig, port } = await withApi()
  await using _ = rig
  await rig.up()
  await rig.succeed('restart', 'api')
  expect((await rig.until('api', 'ready')).generation).toBe(1)

  const load = rig.load({ port, rate: 50 })
  await rig.eventually(() => load.result.ok > 0)
  await rig.succeed('restart', 'api')
  await rig.succeed('wait', 'api')
  const { ok, sent, failures } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  expect((await rig.service('api')).lastSwap).toMatchObject({ from: 1, to: 2, cause: 'restart requested' })

  await rig.edit('api.mjs', (text) => `process.exit(3)\n${text}`)
  expect((await rig.until('api', 'failed')).lastExit?.code).toBe(3)
  const { generation } = await rig.service('api')
  await rig.succeed('restart', 'api')
  const again = await rig.eventually(async () => {
    const service = await rig.service('api')
    return service.state === 'failed' && service.generation > generation ? service : null
  })
  expect(again.generation).toBe(generation + 1)
})

test('a worker runs without a socket, is swapped one at a time, and comes back when it ends', async () => {
  const program = `
import { appendFileSync } from 'node:fs'
const version = 'v1'
appendFileSync('story', \`+\${version} \${process.env.PORT ?? 'no port'} \${process.env.LISTEN_FDS ?? 'no fd'}\\n\`)
process.on('SIGTERM', () => setTimeout(() => { appendFileSync('story', \`-\${version}\\n\`); process.exit(0) }, 50))
setInterval(() => {}, 1000)
`
  await using rig = await Rig.create({ files: { 'worker.mjs': program, story: '' } })
  await rig.configure({ worker: { command: ['node', 'worker.mjs'], listen: false, watch: ['*.mjs'] } })
  const story = () => readFile(`${rig.dir}/story`, 'utf8')
  await rig.up()
  await rig.eventually(async () => (await story()) === '+v1 no port no fd\n')
  await rig.edit('worker.mjs', bump)
  // Never two at once: the old one has said its last word before the new one says its first.
  await rig.eventually(async () => (await story()) === '+v1 no port no fd\n-v1\n+v2 no port no fd\n')
  const { pid } = await rig.until('worker', 'ready')
  process.kill(pid ?? 0, 'SIGKILL')
  await rig.eventually(async () => (await story()).endsWith('+v2 no port no fd\n+v2 no port no fd\n'))
  expect(await rig.until('worker', 'ready')).toMatchObject({ generation: 3, crashes: 1 })
})

test('a server that keeps crashing is given up with a reason, and a save brings it back', async () => {
  const { rig, port } = await withApi({ retry: { limit: 2, within: '30s', delay: '50ms' } })
  await using _ = rig
  await rig.up()
  for (let crash = 1; crash <= 3; crash += 1) {
    // One that ends before it was seen to be ready counts as a failed start.
    await rig.request(port)
    await rig.until('api', 'ready')
    const gone = await rig.request(port, '/exit').catch((error: NodeJS.ErrnoException) => error.code)
    expect(gone).toBe('ECONNRESET')
    await rig.eventually(async () => (await rig.service('api')).crashes === crash)
  }
  const failed = await rig.until('api', 'failed')
  expect(failed.reason).toMatchObject({ code: 'retry-limit' })
  expect(failed.reason.message).toBe('exit 1; it ended 3 times within 30 s; waits for a change in *.mjs')
  const page = await rig.request(port)
  expect({ status: page.status, body: page.body }).toEqual({
    status: 503,
    body: expect.stringContaining('3 times within 30 s'),
  })
  await rig.edit('api.mjs', bump)
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v2')
})

test('--no-watch leaves what runs alone until an up without it', async () => {
  const { rig, port } = await withApi()
  await using _ = rig
  await rig.up('--no-watch')
  expect((await rig.request(port)).body).toBe('v1')
  await rig.edit('api.mjs', bump)
  await rig.succeed('wait', 'api')
  expect(await rig.service('api')).toMatchObject({ generation: 1, swaps: 0 })
  await rig.up()
  await rig.edit('api.mjs', bump)
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v3')
})

test('up SERVICE leaves the others alone; a later up brings the rest', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [one, two] = [await rig.port(), await rig.port()]
  const command = ['node', 'server.mjs']
  await rig.configure({ one: { command, listen: one }, two: { command, listen: two } })
  await rig.up('two')
  expect(await rig.service('one')).toMatchObject({ state: 'stopped' })
  expect(await refusal(one)).toBe('ECONNREFUSED')
  const pid = await pidOf(rig, two)
  await rig.up()
  expect((await rig.request(one)).body).toBe('v1')
  expect(await pidOf(rig, two)).toBe(pid)
  const unknown = await rig.devsock('up', '-d', 'three')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('there is: one, two')
})

test('the logs of an earlier run are not those of this one', async () => {
  await using rig = await Rig.create()
  const port = await rig.port()
  await rig.write({ 'api.mjs': nodeServer('v1', "console.log('began', process.pid)") })
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port } })
  const pids: string[] = []
  for (let run = 0; run < 2; run += 1) {
    await rig.up()
    pids.push((await rig.request(port, '/pid')).body)
    if (run === 0) await rig.succeed('down')
  }
  const { stdout } = await rig.succeed('logs', 'api')
  expect(stdout).toContain(`began ${pids[1]}`)
  expect(stdout).not.toContain(`began ${pids[0]}`)
})
