/** Somebody else has the port: who it is, what to do, and what devsock does by itself. */
import { chown, mkdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { ErrorDocument } from '../../proxy/protocol.ts'
import { signal } from '../rig/processes.ts'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

const NOBODY = 65534
const isRoot = process.getuid?.() === 0

/** Listens on an address, says so, and accepts nothing; a perl anybody can run. */
const squatter = (family: 'INET' | 'INET6', host: string, port: number, reuse = false): string[] => [
  'perl',
  '-e',
  `use Socket qw(:all); $| = 1;
   socket(my $s, AF_${family}, SOCK_STREAM, 0) or die $!;
   ${reuse ? 'setsockopt($s, SOL_SOCKET, 15, 1) or die $!;' : ''}
   bind($s, pack_sockaddr_${family === 'INET' ? 'in' : 'in6'}(${port}, inet_pton(AF_${family}, "${host}"))) or die $!;
   listen($s, 5); print "listening\\n"; sleep 1000;`,
]

/** Starts one in a folder of the rig and waits until it has the port. */
async function squat(rig: Rig, argv: string[]): Promise<{ pid: number; end(): Promise<void> }> {
  const command = rig.spawn(argv)
  await rig.eventually(() => command.stdout.includes('listening'), { what: 'the squatter' })
  return {
    pid: command.pid,
    end: async () => {
      command.kill('SIGKILL')
      await command.finished()
    },
  }
}

/** A project with `api` on a port that will be taken, and `web` on one that is not. */
async function shop(more: object = {}): Promise<{ rig: Rig; api: number; web: number }> {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [api, web] = [await rig.port(), await rig.port()]
  const command = ['node', 'server.mjs']
  await rig.configure({ api: { command, listen: api, ...more }, web: { command, listen: web } })
  return { rig, api, web }
}

describe('a port that is taken fails the up: it names who has it, and what to run', () => {
  test.each([
    { where: '127.0.0.1', family: 'INET', reuse: false },
    { where: '0.0.0.0', family: 'INET', reuse: false },
    { where: '::1', family: 'INET6', reuse: false },
    { where: '::', family: 'INET6', reuse: false },
    { where: '::', family: 'INET6', reuse: true },
  ] as const)('on $where, SO_REUSEPORT $reuse', async ({ where, family, reuse }) => {
    const { rig, api, web } = await shop()
    await using _ = rig
    const owner = await squat(rig, squatter(family, where, api, reuse))
    const { code, stdout, stderr } = await rig.devsock('up', '-d')
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toContain(`port ${api} is taken by perl`)
    expect(stderr).toContain(`pid ${owner.pid}`)
    expect(stderr).toContain(`devsock free ${api}`)
    // All is as before the call.
    await rig.eventually(async () => (await rig.status()).projects.length === 0)
    await expect(rig.request(web)).rejects.toMatchObject({ code: 'ECONNREFUSED' })

    const json = (await rig.devsock('up', '-d', '--json')).json() as ErrorDocument
    expect(json.error.code).toBe('port-taken')
    expect(json.error.owners?.[0]).toEqual({
      service: 'shop/api',
      address: `localhost:${api}`,
      port: api,
      owner: {
        pid: owner.pid,
        command: expect.stringMatching(/^perl -e use Socket/),
        cwd: rig.dir,
        user: expect.any(String),
      },
    })
    await owner.end()
  })
})

test('up --kill ends who has the port and takes it', async () => {
  const { rig, api } = await shop()
  await using _ = rig
  await squat(rig, squatter('INET', '127.0.0.1', api))
  const { code, stdout, stderr } = await rig.devsock('up', '-d', '--kill')
  expect(code, stdout + stderr).toBe(0)
  expect((await rig.request(api)).body).toBe('v1')
})

test('an attached up whose port is released while it runs takes it again without being asked', async () => {
  const { rig, api } = await shop()
  await using _ = rig
  const up = rig.start('up', '--json')
  await rig.until('api', 'held')
  await rig.succeed('stop', 'api')
  const owner = await squat(rig, squatter('INET', '127.0.0.1', api))
  expect((await rig.devsock('start', 'api')).code).toBe(3)
  const stuck = await rig.until('api', 'conflict')
  expect(stuck).toMatchObject({ reason: { code: 'port-taken' }, sockets: [{ owner: { pid: owner.pid } }] })
  await owner.end()
  // It was started, so it starts.
  await rig.until('api', 'ready')
  expect((await rig.request(api)).body).toBe('v1')
  up.kill('SIGINT')
  expect((await up.finished()).code).toBe(130)
})

test('with conflicts kept the project comes up without that service, which takes its port when it is free', async () => {
  const { rig, api, web } = await shop()
  await using _ = rig
  const owner = await squat(rig, squatter('INET6', '::', api))
  await rig.succeed('free', String(web), '--dry-run') // starts the daemon
  const reply = await rig.api('POST', '/v1/projects', {
    dir: rig.dir,
    config: null,
    env: rig.env,
    services: [],
    watch: true,
    autoPorts: false,
    limits: { nofile: null, umask: 0o022 },
    detached: true,
    conflicts: 'wait',
  })
  expect(reply.status, reply.body).toBe(200)
  expect((await rig.request(web)).body).toBe('v1')
  expect(await rig.service('api')).toMatchObject({
    state: 'conflict',
    sockets: [{ owner: { pid: owner.pid } }],
  })
  await owner.end()
  await rig.until('api', 'held')
  expect((await rig.request(api)).body).toBe('v1')
})

test('up --auto-ports comes up beside whoever has the ports, on free ones', async () => {
  const { rig, api, web } = await shop()
  await using _ = rig
  const owner = await squat(rig, squatter('INET6', '::', api))
  await rig.up('--auto-ports')
  const ports = await Promise.all(
    ['api', 'web'].map(async (name) => (await rig.service(name)).sockets[0]?.port ?? 0),
  )
  expect(ports).not.toContain(api)
  expect(ports).not.toContain(web)
  for (const port of ports) expect((await rig.request(port)).body).toBe('v1')
  await owner.end()
})

test('onConflict auto takes another port, use publishes the one that is there and never touches it', async () => {
  const { rig, api, web } = await shop({ onConflict: 'auto' })
  await using _ = rig
  const owner = await squat(rig, squatter('INET', '127.0.0.1', api))
  await rig.up()
  const moved = await rig.service('api')
  const port = moved.sockets[0]?.port ?? 0
  expect(port).not.toBe(api)
  expect((await rig.request(port)).body).toBe('v1')
  const { DEVSOCK_API_PORT } = (await rig.request(web, '/env')).json() as Record<string, string>
  expect(DEVSOCK_API_PORT).toBe(String(port))
  await rig.succeed('down')

  await rig.configure({
    api: { command: ['node', 'server.mjs'], listen: api, onConflict: 'use' },
    web: { command: ['node', 'server.mjs'], listen: web },
  })
  await rig.up()
  expect(await rig.service('api')).toMatchObject({
    state: 'external',
    pid: null,
    sockets: [{ url: `http://localhost:${api}/`, owner: { pid: owner.pid } }],
  })
  const env = (await rig.request(web, '/env')).json() as Record<string, string>
  expect(env.DEVSOCK_API_URL).toBe(`http://localhost:${api}`)
  await rig.succeed('down')
  expect(process.kill(owner.pid, 0)).toBe(true)
})

test('free ends who listens, and never a service of devsock', async () => {
  const { rig, api, web } = await shop()
  await using _ = rig
  await rig.up('web')
  const { pid } = await squat(rig, squatter('INET', '127.0.0.1', api))
  const asked = await rig.devsock('free', String(api))
  expect({ code: asked.code, stderr: asked.stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining(`devsock free ${api} --yes`),
  })
  await rig.succeed('free', String(api), '--yes')
  await rig.eventually(() => !signal(pid, 0), { what: 'the end of the squatter' })
  await rig.up('api')
  expect((await rig.request(web)).body).toBe('v1')
  const own = await rig.devsock('free', String(web), '--yes')
  expect({ code: own.code, text: own.stdout + own.stderr }).toEqual({
    code: 1,
    text: expect.stringContaining('devsock itself'),
  })
  expect((await rig.request(web)).body).toBe('v1')
})

describe.runIf(isRoot)('with two users on the machine', () => {
  const asNobody = (argv: string[]): string[] => [
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    ...argv,
  ]

  test('a port of another user is named and not freed', async () => {
    const { rig, api } = await shop()
    await using _ = rig
    const owner = await squat(rig, asNobody(squatter('INET', '127.0.0.1', api)))
    const { code, stderr } = await rig.devsock('up', '-d', '--kill')
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("another user's process") })
    expect(stderr).toContain(`sudo kill ${owner.pid}`)
    const free = await rig.devsock('free', String(api), '--yes')
    expect(free.code).toBe(1)
    expect(process.kill(owner.pid, 0)).toBe(true)
  })

  /** devsock itself as nobody: what root may do is no test. */
  async function nobodysRig(): Promise<Rig> {
    const cli = asNobody([process.execPath, `${process.cwd()}/dist/cli/main.cjs`])
    const rig = await Rig.create({ cli, files: { 'server.mjs': nodeServer() } })
    await mkdir(rig.stateDir, { mode: 0o700 })
    await mkdir(rig.runtimeDir, { mode: 0o700 })
    for (const folder of [rig.root, rig.dir, rig.stateDir, rig.runtimeDir])
      await chown(folder, NOBODY, NOBODY)
    return rig
  }

  test('a port below 1024 without the right to it says how to get the right', async () => {
    await using rig = await nobodysRig()
    const web = await rig.port()
    const command = ['node', 'server.mjs']
    await rig.configure({ low: { command, listen: 1023 }, web: { command, listen: web } })
    const { code, stderr } = await rig.devsock('up', '-d')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('port 1023 needs a privilege'),
    })
    expect(stderr).toContain('sysctl net.ipv4.ip_unprivileged_port_start')
  })

  test("root's process is named as far as it can be seen", async () => {
    await using rig = await nobodysRig()
    const web = await rig.port()
    await rig.configure({ web: { command: ['node', 'server.mjs'], listen: web } })
    const owner = await squat(rig, squatter('INET', '127.0.0.1', web))
    const { code, stderr } = await rig.devsock('up', '-d')
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining(`port ${web} is taken by`) })
    expect(stderr).toContain('root')
    await owner.end()
  })
})
