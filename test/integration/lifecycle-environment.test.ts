// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references as people write them
/** What a generation finds in its environment. */
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

const environmentOf = async (rig: Rig, port: number): Promise<Record<string, string>> =>
  (await rig.request(port, '/env')).json() as Record<string, string>

test('a child knows itself, its siblings and its sockets, and nothing of what devsock itself was started in', async () => {
  const leaks = {
    LISTEN_FDS: '7',
    LISTEN_PID: '1',
    NOTIFY_SOCKET: '/nowhere',
    DEVSOCK_OLD_PORT: '1',
    PORT: '9',
  }
  await using rig = await Rig.create({
    files: { 'server.mjs': nodeServer(), 'more.env': 'FROM_FILE=file\nBOTH=file\n' },
    env: { ...leaks, FROM_SHELL: 'shell', BOTH: 'shell' },
  })
  const [api, web, admin] = [await rig.port(), await rig.port(), await rig.port()]
  await rig.configure({
    api: {
      command: ['node', 'server.mjs'],
      listen: api,
      envFile: 'more.env',
      env: { UPSTREAM: '${web.url}/x', PRICE: '5$$', FALLBACK: '${MISSING:-none}' },
    },
    'web-app': { command: 'node server.mjs', listen: { main: web, admin } },
    web: { command: 'node server.mjs', listen: 'auto' },
  })
  await rig.up()
  const auto = (await rig.service('web')).sockets[0]?.port
  const environment = await environmentOf(rig, api)
  const pid = (await rig.request(api, '/pid')).body
  expect(environment).toMatchObject({
    LISTEN_FDS: '1',
    LISTEN_PID: pid,
    LISTEN_FDNAMES: 'http',
    NOTIFY_SOCKET: expect.stringMatching(/^[/@]/),
    PORT: String(api),
    DEVSOCK_URL: `http://localhost:${api}`,
    DEVSOCK_PROJECT: 'shop',
    DEVSOCK_SERVICE: 'api',
    DEVSOCK_GENERATION: '1',
    DEVSOCK_WEB_APP_URL: `http://localhost:${web}`,
    DEVSOCK_WEB_APP_PORT: String(web),
    DEVSOCK_WEB_APP_ADMIN_PORT: String(admin),
    DEVSOCK_WEB_URL: `http://localhost:${auto}`,
    UPSTREAM: `http://localhost:${auto}/x`,
    PRICE: '5$',
    FALLBACK: 'none',
    FROM_FILE: 'file',
    FROM_SHELL: 'shell',
    BOTH: 'shell',
    FORCE_COLOR: '1',
    PYTHONUNBUFFERED: '1',
  })
  expect(environment).not.toHaveProperty('DEVSOCK_OLD_PORT')
  expect(environment).not.toHaveProperty('NODE_CHANNEL_FD')
})

test('LISTEN_PID is the server itself, for a command in a shell as for an array', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [text, array] = [await rig.port(), await rig.port()]
  await rig.configure({
    text: { command: 'node server.mjs', listen: text },
    array: { command: ['node', 'server.mjs'], listen: array },
  })
  await rig.up()
  for (const port of [text, array]) {
    const { LISTEN_PID } = await environmentOf(rig, port)
    expect(LISTEN_PID).toBe((await rig.request(port, '/pid')).body)
  }
})

test('a second up brings the environment of its shell: what starts from then on has it', async () => {
  await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [runs, held] = [await rig.port(), await rig.port()]
  const command = ['node', 'server.mjs']
  await rig.configure({ runs: { command, listen: runs }, held: { command, listen: held } })
  await rig.up()
  const before = (await rig.request(runs, '/pid')).body
  const up = rig.spawn([process.execPath, `${process.cwd()}/dist/cli/main.cjs`, 'up', '-d'], {
    env: { FLAVOUR: 'mint' },
  })
  const { code, stdout } = await up.finished()
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('up already') })
  expect((await environmentOf(rig, held)).FLAVOUR).toBe('mint')
  // What runs is not restarted for it.
  expect((await rig.request(runs, '/pid')).body).toBe(before)
  await rig.succeed('restart', 'runs')
  await rig.succeed('wait', 'runs')
  expect((await environmentOf(rig, runs)).FLAVOUR).toBe('mint')
})
