/** A saved configuration is applied by difference: what did not change goes on as if nothing had been. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

interface Shop {
  rig: Rig
  api: number
  web: number
  services: { api: object; web: object }
}

/** `api` and `web`, both running. */
async function shop(): Promise<Shop> {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [api, web] = [await rig.port(), await rig.port()]
  const command = ['node', 'server.mjs']
  const services = { api: { command, listen: api }, web: { command, listen: web } }
  await rig.configure(services)
  await rig.up()
  await rig.request(api)
  await rig.request(web)
  return { rig, api, web, services }
}

const pidOf = async (rig: Rig, port: number): Promise<string> => (await rig.request(port, '/pid')).body

test('only what changed is restarted, and nobody is refused meanwhile', async () => {
  const { rig, api, web, services } = await shop()
  await using _ = rig
  const [apiPid, webPid] = [await pidOf(rig, api), await pidOf(rig, web)]
  const load = rig.load({ port: api, rate: 50 })
  await rig.configure({ ...services, api: { ...services.api, env: { FLAVOUR: 'mint' } } })
  await rig.eventually(async () => (await rig.service('api')).generation === 2)
  await rig.succeed('wait', 'api')
  const environment = (await rig.request(api, '/env')).json() as Record<string, string>
  expect(environment.FLAVOUR).toBe('mint')
  expect(await rig.service('api')).toMatchObject({ lastSwap: { cause: 'configuration changed' } })

  // What devsock alone does with a service is no reason to restart it.
  const steady = await pidOf(rig, api)
  expect(steady).not.toBe(apiPid)
  await rig.configure({
    ...services,
    api: { ...services.api, env: { FLAVOUR: 'mint' }, drain: '9s', idle: '1h' },
    extra: { command: 'true', listen: false, start: 'manual' },
  })
  await rig.until('extra', 'held')
  expect([await pidOf(rig, api), await pidOf(rig, web)]).toEqual([steady, webPid])
  const { ok, sent, failures } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
})

test('services come and go, and a port moves, with the file', async () => {
  const { rig, api, web, services } = await shop()
  await using _ = rig
  const webPid = await pidOf(rig, web)
  const [added, moved] = [await rig.port(), await rig.port()]
  await rig.configure({ ...services, added: { ...services.api, listen: added } })
  await rig.until('added', 'held')
  expect((await rig.request(added)).body).toBe('v1')
  const environment = (await rig.request(added, '/env')).json() as Record<string, string>
  expect(environment.DEVSOCK_WEB_PORT).toBe(String(web))

  await rig.configure({ api: { ...services.api, listen: moved }, web: services.web })
  // It ran, so it runs again, at the new place.
  await rig.eventually(async () => (await rig.request(moved)).body === 'v1')
  await rig.eventually(async () => (await rig.status()).projects[0]?.services.length === 2)
  for (const gone of [added, api]) {
    await expect(rig.request(gone)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  }
  expect(await pidOf(rig, web)).toBe(webPid)
  // A restarted sibling knows where it went.
  await rig.succeed('restart', 'web')
  await rig.succeed('wait', 'web')
  const after = (await rig.request(web, '/env')).json() as Record<string, string>
  expect(after.DEVSOCK_API_PORT).toBe(String(moved))
})

test('a moved port that somebody else has is a conflict of that service alone, and heals', async () => {
  const { rig, api, web, services } = await shop()
  await using _ = rig
  const taken = await rig.port()
  const squatter = rig.spawn([
    'node',
    '-e',
    `require('net').createServer().listen(${taken}, () => console.log('here'))`,
  ])
  await rig.eventually(() => squatter.stdout.includes('here'))
  await rig.configure({ ...services, api: { ...services.api, listen: taken } })
  expect((await rig.until('api', 'conflict')).sockets[0]?.owner?.pid).toBe(squatter.pid)
  expect((await rig.request(web)).body).toBe('v1')
  await rig.configure(services)
  await rig.until('api', 'ready')
  expect((await rig.request(api)).body).toBe('v1')
})

test('other globs are watched from then on', async () => {
  const { rig, api, services } = await shop()
  await using _ = rig
  await rig.configure({ ...services, api: { ...services.api, watch: ['*.mjs'] } })
  const applied = async () => {
    // `wait` takes in what was saved before: it swaps as soon as the glob is watched.
    await rig.edit('server.mjs', bump)
    await rig.succeed('wait', 'api')
    return (await rig.service('api')).generation > 1
  }
  await rig.eventually(applied)
  const { generation } = await rig.service('api')
  await rig.edit('server.mjs', bump)
  await rig.succeed('wait', 'api')
  expect((await rig.service('api')).generation).toBe(generation + 1)
  expect((await rig.request(api)).body).not.toBe('v1')
})

test('a half-written or wrong configuration changes nothing and says why; a good one heals', async () => {
  const { rig, api, web, services } = await shop()
  await using _ = rig
  const up = rig.start('up', '--json')
  await rig.eventually(() => up.stdout.includes('"type":"snapshot"'))
  const pids = [await pidOf(rig, api), await pidOf(rig, web)]
  const path = join(rig.dir, 'devsock.config.json')
  const problems = async () => (await rig.status()).projects[0]?.problems ?? []

  await writeFile(path, JSON.stringify({ name: 'shop', services }).slice(0, 40))
  const [broken] = await rig.eventually(async () => ((await problems()).length > 0 ? problems() : null))
  expect(broken).toMatchObject({ file: path, line: 1 })
  await rig.eventually(() => /"type":"notice".*the last good configuration goes on/.test(up.stdout))

  await rig.configure({ ...services, api: { ...services.api, lisen: 3000, drain: 'soon' } })
  await rig.eventually(async () => (await problems()).length === 2)
  expect((await problems()).map((problem) => problem.path).sort()).toEqual([
    'services.api.drain',
    'services.api.lisen',
  ])
  const status = await rig.devsock('status')
  expect(status.stdout).toContain('not applied')

  await rig.write({ 'devsock.config.json': '' })
  await rig.eventually(async () => (await problems())[0]?.message && (await problems()).length === 1)
  expect([await pidOf(rig, api), await pidOf(rig, web)]).toEqual(pids)

  await rig.configure({ ...services, api: { ...services.api, env: { HEALED: '1' } } })
  await rig.eventually(async () => (await problems()).length === 0)
  await rig.eventually(async () => (await rig.service('api')).generation === 2)
  const environment = (await rig.request(api, '/env')).json() as Record<string, string>
  expect(environment.HEALED).toBe('1')
  expect(await pidOf(rig, web)).toBe(pids[1])
  up.kill('SIGINT')
})

test('a local file beside it, and an envFile, are part of it', async () => {
  const { rig, api, web, services } = await shop()
  await using _ = rig
  const webPid = await pidOf(rig, web)
  await rig.write({ 'devsock.local.json': { services: { api: { env: { WHO: 'local' } } } } })
  const who = async () => ((await rig.request(api, '/env')).json() as Record<string, string>).WHO
  await rig.eventually(async () => (await who()) === 'local')
  await rig.write({ 'api.env': 'WHO=file\n', 'devsock.local.json': { services: {} } })
  await rig.configure({ ...services, api: { ...services.api, envFile: 'api.env' } })
  await rig.eventually(async () => (await who()) === 'file')
  await rig.write({ 'api.env': 'WHO=changed\n' })
  await rig.eventually(async () => (await who()) === 'changed')
  expect(await pidOf(rig, web)).toBe(webPid)
})

test('a script that is saved in package.json is the command from then on; a half written one changes nothing', async () => {
  const manifest = (script: string): string => JSON.stringify({ scripts: { dev: script } })
  await using rig = await Rig.create({
    files: { 'server.mjs': nodeServer(), 'package.json': manifest('FLAVOUR=mint node server.mjs') },
  })
  const port = await rig.port()
  await rig.configure({ web: { command: 'npm run dev', listen: port } })
  await rig.up()
  const flavour = async (): Promise<string | undefined> =>
    ((await rig.request(port, '/env')).json() as Record<string, string>).FLAVOUR
  expect(await flavour()).toBe('mint')
  const pid = await pidOf(rig, port)

  const file = join(rig.dir, 'package.json')
  await writeFile(file, '{ "scripts": { ')
  await rig.eventually(async () => ((await rig.status()).projects[0]?.problems ?? []).length === 1)
  expect(await pidOf(rig, port)).toBe(pid)

  await writeFile(file, manifest('FLAVOUR=lemon node server.mjs'))
  await rig.eventually(async () => (await flavour()) === 'lemon')
  expect((await rig.status()).projects[0]?.problems ?? []).toEqual([])
})
