/** Programs that bind by themselves, as the daemon sees them. What every real server does is in servers/. */
import { expect, test } from 'vitest'
import { freePort } from '../rig/ports.ts'
import { Rig, type RigOptions } from '../rig/rig.ts'

/** Says how many connections it has had, and on which address it believes to listen. */
const SERVER = `
import { createServer } from 'node:http'
let connections = 0
const server = createServer((_, response) => response.end(JSON.stringify({ connections, ...server.address() })))
server.on('connection', () => { connections += 1 })
server.listen(Number(process.env.PORT), process.env.HOST)
`

async function withServer(more: object = {}, options: RigOptions = {}): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create({ files: { 'server.mjs': SERVER }, ...options })
  const port = await rig.port()
  await rig.configure({ web: { command: 'node server.mjs', listen: port, ...more } })
  return { rig, port }
}

test.each(['eager', 'overlap'])(
  'a server that is started before its first client (%s) sees no empty connection',
  async (how) => {
    const { rig, port } = await withServer(how === 'eager' ? { start: 'eager' } : { swap: 'overlap' })
    await using _ = rig
    await rig.up()
    if (how === 'overlap') {
      await rig.request(port)
      await rig.succeed('restart', 'web')
    }
    await rig.succeed('wait', 'web')
    expect((await rig.request(port)).json()).toMatchObject({ connections: 1, port })
    expect(await rig.service('web')).toMatchObject({ state: 'ready', handover: 'preload' })
  },
)

test('a program that ignores PORT lives on another port than it believes', async () => {
  const binds = await freePort()
  const { rig, port } = await withServer()
  await using _ = rig
  await rig.configure({ web: { command: `PORT=${binds} node server.mjs`, listen: { address: port, binds } } })
  await rig.up()
  expect((await rig.request(port)).json()).toMatchObject({ port: binds })
})

test('a bind to all interfaces that got localhost is told, once, with what to write', async () => {
  const { rig, port } = await withServer({ env: { HOST: '0.0.0.0' } })
  await using _ = rig
  await rig.up()
  const events = rig.start('up', '--json')
  await rig.eventually(() => events.stdout.includes('"snapshot"'))
  const notices = () => events.stdout.split('\n').filter((line) => line.includes(`\\"*:${port}\\"`)).length
  await rig.request(port)
  await rig.eventually(() => notices() === 1)
  await rig.succeed('restart', 'web')
  await rig.succeed('wait', 'web')
  expect(notices()).toBe(1)
})

test('how a generation came by its slot is known after the daemon died', async () => {
  const { rig, port } = await withServer()
  await using _ = rig
  await rig.up()
  await rig.request(port)
  await rig.eventually(async () => (await rig.service('web')).handover === 'preload')
  const killed = await rig.daemonPid()
  process.kill(killed, 'SIGKILL')
  await rig.eventually(async () => (await rig.status()).daemon?.pid !== killed && (await rig.service('web')))
  expect(await rig.service('web')).toMatchObject({ state: 'ready', generation: 1, handover: 'preload' })
})

test('a program that listens elsewhere is an error that names both ports', async () => {
  const elsewhere = await freePort()
  const { rig, port } = await withServer({ env: { PORT: elsewhere }, ready: { timeout: '1500ms' } })
  await using _ = rig
  await rig.configure({
    web: {
      command: `PORT=${elsewhere} node server.mjs`,
      listen: port,
      ready: { timeout: '1500ms' },
      watch: [],
    },
  })
  await rig.up()
  const { body } = await rig.request(port)
  expect(body).toContain(`it listens on port ${elsewhere}, not on its socket (port ${port})`)
  expect((await rig.service('web')).reason.hint).toContain(`binds: ${elsewhere}`)
})

test('adopt: false leaves the program to itself: the port is taken', async () => {
  const { rig, port } = await withServer({ adopt: false, watch: [] })
  await using _ = rig
  await rig.up()
  expect((await rig.request(port)).body).toContain('EADDRINUSE')
})

test('where the library cannot be preloaded, descriptors are inherited as ever', async () => {
  const source = SERVER.replace(/server\.listen\(.*\)/, 'server.listen({ fd: 3 })')
  const rig = await Rig.create({ files: { 'server.mjs': source } })
  await using _ = rig
  rig.env.DEVSOCK_STATE_DIR = `${rig.stateDir} with space`
  const port = await rig.port()
  await rig.configure({ web: { command: 'node server.mjs', listen: port } })
  await rig.up()
  expect((await rig.request(port)).status).toBe(200)
  await rig.eventually(async () => (await rig.service('web')).handover === 'inherited')
})
