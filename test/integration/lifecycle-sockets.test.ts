/** Where a service can be reached: addresses, several sockets, unix paths, ports of devsock's own choice. */
import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

const command = ['node', 'server.mjs']

/** A server on every descriptor it is given, that says on which one it was reached. */
const everySocket = `
import { createServer } from 'node:http'
const names = process.env.LISTEN_FDNAMES.split(':')
names.forEach((name, index) => {
  createServer((request, response) => response.end(\`v1 \${name}\`)).listen({ fd: 3 + index })
})
`

/** An address of this machine that others can reach; null without a network. */
const outer = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

const reach = (rig: Rig, host: string, port: number): Promise<string> =>
  rig.request(port, '/', { host }).then(
    ({ body }) => body,
    (error: NodeJS.ErrnoException) => String(error.code),
  )

test('each address is reached where it should be, and only there', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [loopback, v4, v6, all] = [await rig.port(), await rig.port(), await rig.port(), await rig.port()]
  await rig.configure({
    loopback: { command, listen: loopback },
    v4: { command, listen: `127.0.0.1:${v4}` },
    v6: { command, listen: `[::1]:${v6}` },
    all: { command, listen: `*:${all}` },
  })
  await rig.up()
  const hosts = ['127.0.0.1', '::1', ...(outer ? [outer] : [])]
  const reached: Record<string, string[]> = {}
  for (const [name, port] of Object.entries({ loopback, v4, v6, all })) {
    reached[name] = await Promise.all(hosts.map((host) => reach(rig, host, port)))
  }
  const away = outer ? ['ECONNREFUSED'] : []
  expect(reached).toEqual({
    loopback: ['v1', 'v1', ...away],
    v4: ['v1', 'ECONNREFUSED', ...away],
    v6: ['ECONNREFUSED', 'v1', ...away],
    all: ['v1', 'v1', ...(outer ? ['v1'] : [])],
  })
  const urls = await Promise.all(
    Object.keys(reached).map(async (name) => (await rig.service(name)).sockets[0]),
  )
  expect(urls.map((socket) => [socket?.address, socket?.url])).toEqual([
    [`localhost:${loopback}`, `http://localhost:${loopback}/`],
    [`127.0.0.1:${v4}`, `http://127.0.0.1:${v4}/`],
    [`[::1]:${v6}`, `http://[::1]:${v6}/`],
    [`*:${all}`, `http://localhost:${all}/`],
  ])
})

test('either socket of a service starts it, both are swapped, and both are dropped when one cannot be had', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': everySocket } })
  const [http, admin] = [await rig.port(), await rig.port()]
  await rig.configure({ api: { command, listen: { http, admin }, watch: ['*.mjs'] } })
  await rig.up()
  expect((await rig.request(admin)).body).toBe('v1 admin')
  expect((await rig.request(http)).body).toBe('v1 http')
  expect(await rig.service('api')).toMatchObject({ generation: 1, activations: 1 })
  const loads = [http, admin].map((port) => rig.load({ port, rate: 40 }))
  await rig.eventually(() => loads.every(({ result }) => result.ok > 3))
  await rig.edit('server.mjs', (text) => text.replace('v1', 'v2'))
  await rig.succeed('wait', 'api')
  expect((await rig.request(admin)).body).toBe('v2 admin')
  expect((await rig.request(http)).body).toBe('v2 http')
  for (const load of loads) {
    const { ok, sent, failures } = await load.stop()
    expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  }

  await rig.succeed('stop', 'api')
  const squatter = rig.spawn([
    'node',
    '-e',
    `require('net').createServer().listen(${admin}, () => console.log('here'))`,
  ])
  await rig.eventually(() => squatter.stdout.includes('here'))
  const { code, stderr } = await rig.devsock('up', '-d')
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining(`devsock free ${admin}`) })
  expect(stderr).not.toContain(`free ${http}`)
  await expect(rig.request(http)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a unix socket starts its service, refuses nobody in a swap, and its path goes with the project', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  await rig.configure({ api: { command, listen: 'unix:./app.sock', watch: ['*.mjs'] } })
  const socketPath = join(rig.dir, 'app.sock')
  const ask = () => rig.request(0, '/', { socketPath })
  await rig.up()
  expect((await rig.service('api')).sockets[0]).toMatchObject({
    address: `unix:${socketPath}`,
    port: null,
    url: null,
  })
  expect((await ask()).body).toBe('v1')
  const load = rig.load({ port: 0, socketPath, path: '/slow', rate: 50 })
  for (let save = 2; save <= 6; save += 1) {
    await rig.edit('server.mjs', bump)
    await rig.succeed('wait', 'api')
    expect((await ask()).body).toBe(`v${save}`)
  }
  await rig.succeed('sleep', 'api')
  const sofar = load.result.sent
  await rig.eventually(() => load.result.sent > sofar + 20)
  const { ok, sent, failures } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  await rig.succeed('down')
  expect([existsSync(socketPath), existsSync(`${socketPath}~`)]).toEqual([false, false])
})

test("a port of devsock's own choice is the same after down and up, and is another in another checkout", async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const services = { api: { command, listen: 'auto' }, web: { command, listen: 'auto' } }
  await rig.configure(services)
  const ports = async () => {
    const { projects } = await rig.status()
    return projects.flatMap((project) => project.services.map(({ sockets }) => sockets[0]?.port ?? 0))
  }
  await rig.up()
  const first = await ports()
  expect(new Set(first).size).toBe(2)
  expect((await rig.request(first[0] ?? 0)).body).toBe('v1')
  const { DEVSOCK_WEB_PORT, PORT } = (await rig.request(first[0] ?? 0, '/env')).json() as Record<
    string,
    string
  >
  expect([Number(PORT), Number(DEVSOCK_WEB_PORT)]).toEqual(first)
  await rig.succeed('stop', 'api')
  await rig.succeed('start', 'api')
  expect(await ports()).toEqual(first)
  await rig.succeed('down')
  await rig.up()
  expect(await ports()).toEqual(first)

  const other = await rig.project('other', {
    'server.mjs': nodeServer(),
    'devsock.config.json': { name: 'other', services },
  })
  await rig.succeed('-C', other, 'up', '-d')
  expect(new Set(await ports()).size).toBe(4)
})
