/** Machines as they are: two callers at once, full disks, no descriptor left, folders that are not one's own. */
import { spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Rig, type RigOptions } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

async function shop(options: RigOptions = {}): Promise<{ rig: Rig; api: number; web: number }> {
  const rig = await Rig.create({ ...options, files: { 'server.mjs': nodeServer(), ...options.files } })
  const [api, web] = [await rig.port(), await rig.port()]
  const command = ['node', 'server.mjs']
  // A process that stands by needs nothing of what is taken away here.
  const watched = { watch: ['*.mjs'], standby: false }
  await rig.configure({ api: { command, listen: api, ...watched }, web: { command, listen: web } })
  return { rig, api, web }
}

test('two ups at the same moment, from nothing, are one project; an up right behind a down comes up', async () => {
  const { rig, api } = await shop()
  await using _ = rig
  for (let round = 0; round < 10; round += 1) {
    const both = await Promise.all([rig.devsock('up', '-d'), rig.devsock('up', '-d')])
    for (const { code, stdout, stderr } of both) expect(code, `round ${round}\n${stdout}${stderr}`).toBe(0)
    const { projects } = await rig.status()
    expect(projects.map(({ services }) => services.map(({ state }) => state))).toEqual([['held', 'held']])
    if (round % 2) expect((await rig.request(api)).body).toBe('v1')
    await rig.succeed('down')
    // The daemon is still leaving: this one has to wait for its end, not to ask it.
    await rig.succeed('up', '-d')
    expect((await rig.request(api)).body).toBe('v1')
    const [down, up] = await Promise.all([rig.devsock('down'), rig.devsock('up', '-d')])
    expect([down.code, up.code], down.stderr + up.stderr).toEqual([0, 0])
    await rig.devsock('down')
  }
})

describe('a full disk', () => {
  /** A disk of its own, small enough to fill, on the rig's state folder. */
  async function smallDisk(rig: Rig): Promise<Disposable> {
    await mkdir(rig.stateDir, { mode: 0o700 })
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=160m,mode=700', 'none', rig.stateDir])
    if (mounted.status !== 0) throw new Error(String(mounted.stderr))
    return { [Symbol.dispose]: () => void spawnSync('umount', ['-l', rig.stateDir]) }
  }

  const fill = (rig: Rig): number | null =>
    spawnSync('dd', ['if=/dev/zero', `of=${join(rig.stateDir, 'filler')}`, 'bs=64k']).status

  test('is said; what runs goes on, holds, wakes and swaps, and all is well when there is room again', async () => {
    if (process.getuid?.() !== 0) return // root alone may mount a disk
    const { rig, api, web } = await shop()
    await using _ = rig
    using _disk = await smallDisk(rig)
    const up = rig.start('up', '--json')
    await rig.until('api', 'held')
    const { body: pid } = await rig.request(api, '/pid')
    fill(rig)
    expect((await rig.request(api, '/pid')).body).toBe(pid)
    // The service that was only held: whether or not its log can be written, somebody answers.
    const woken = await rig.request(web)
    expect([200, 503]).toContain(woken.status)
    await rig.edit('server.mjs', bump)
    await rig.devsock('wait', 'api')
    expect([200, 503]).toContain((await rig.request(api)).status)
    await rig.eventually(() => /"type":"notice".*(disk|space)/.test(up.stdout), {
      what: 'a word about the disk',
    })

    await rm(join(rig.stateDir, 'filler'))
    await rig.edit('server.mjs', bump)
    await rig.succeed('wait', 'api')
    expect((await rig.request(api)).body).toBe('v3')
    // The state is on the disk again: another daemon finds what this one knew.
    const killed = await rig.daemonPid()
    process.kill(killed, 'SIGKILL')
    await rig.eventually(async () => (await rig.daemonPid()) !== killed)
    expect((await rig.service('api')).generation).toBeGreaterThanOrEqual(2)
    expect((await rig.request(api)).body).toBe('v3')
    up.kill('SIGINT')
    await up.finished()
    await rig.eventually(async () => (await rig.processes()).length === 0)
  })
})

describe('no file descriptor left', () => {
  const limit = (pid: number, soft: number): void => {
    const set = spawnSync('prlimit', [`--pid=${pid}`, `--nofile=${soft}:`])
    if (set.status !== 0) throw new Error(String(set.stderr))
  }

  test.each(['daemon', 'holder'] as const)(
    'in the %s: servers go on, it is said, and it heals',
    async (which) => {
      const { rig, api, web } = await shop()
      await using _ = rig
      await rig.up()
      const { body: pid } = await rig.request(api, '/pid')
      const victim = which === 'daemon' ? await rig.daemonPid() : await rig.holderPid()
      const daemon = await rig.daemonPid()
      const up = rig.start('up', '--json')
      await rig.eventually(() => up.stdout.includes('"type":"snapshot"'))
      limit(victim, 3)
      expect((await rig.request(api, '/pid')).body).toBe(pid)
      await rig.edit('server.mjs', bump)
      await rig.eventually(() => up.stdout.includes('out of file descriptors'), { what: 'a word about it' })
      // Whoever asks meanwhile waits, at worst, until there are descriptors again: then all is well by itself.
      const asked = [api, web].map((port) => rig.request(port, '/', { deadline: 20_000 }))
      limit(victim, 4096)
      for (const { status } of await Promise.all(asked)) expect([200, 503]).toContain(status)
      for (const port of [api, web]) await rig.eventually(async () => (await rig.request(port)).body === 'v2')
      up.kill('SIGINT')
      expect(await rig.daemonPid()).toBe(daemon)
    },
  )
})

describe('folders that cannot be trusted are refused with the way out', () => {
  test.each([
    {
      what: 'a mode that lets others in',
      prepare: (rig: Rig) => mkdir(rig.runtimeDir).then(() => chmod(rig.runtimeDir, 0o755)),
      says: /mode 0755: other users can get in/,
    },
    {
      what: 'another owner',
      prepare: (rig: Rig) =>
        mkdir(rig.runtimeDir, { mode: 0o700 }).then(() => chown(rig.runtimeDir, 65534, 65534)),
      says: /belongs to the user with the id 65534/,
    },
    {
      what: 'a symbolic link',
      prepare: async (rig: Rig) => {
        await mkdir(join(rig.root, 'elsewhere'), { mode: 0o700 })
        await symlink(join(rig.root, 'elsewhere'), rig.runtimeDir)
      },
      says: /is a symbolic link/,
    },
    {
      what: 'a file',
      prepare: (rig: Rig) => writeFile(rig.runtimeDir, ''),
      says: /is not a folder|file already exists/,
    },
  ])('the runtime folder with $what', async ({ prepare, says }) => {
    const { rig } = await shop()
    await using _ = rig
    await prepare(rig)
    const { code, stdout, stderr } = await rig.devsock('up', '-d')
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(says) })
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(3)
    expect(await rig.processes()).toEqual([])
    await rm(rig.runtimeDir, { recursive: true })
  })

  test('a runtime folder whose sockets would have 120 bytes', async () => {
    const long = join('/tmp', 'd'.repeat(120 - '/tmp/'.length - '/control.sock'.length))
    const { rig } = await shop({ env: { DEVSOCK_RUNTIME_DIR: long } })
    await using _ = rig
    const { code, stderr } = await rig.devsock('up', '-d')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/has 120 bytes; the kernel takes 107/),
    })
    expect(stderr).toContain('DEVSOCK_RUNTIME_DIR')
  })

  test("a service's path of 120 bytes is refused where it is written", async () => {
    const { rig, web } = await shop()
    await using _ = rig
    const path = `./${'s'.repeat(119 - rig.dir.length)}`
    await rig.configure({
      api: { command: 'true', listen: `unix:${path}` },
      web: { command: 'true', listen: web },
    })
    const { code, stderr } = await rig.devsock('up', '-d')
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('is 120 bytes long, 106 at most'),
    })
    await expect(rig.request(web)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

test.each([
  ['a space', 'my shop'],
  ['a colon', 'a:b'],
  ['a line feed', 'a\nb'],
  ['letters of another alphabet', 'магазин-店'],
  ['what shells and globs care for', `it's $HOME [x]*{y}`],
])('a project in a folder whose name has %s works as any other', async (_what, name) => {
  const { rig, api } = await shop({ project: name })
  await using _ = rig
  await rig.up()
  expect((await rig.request(api)).body).toBe('v1')
  await rig.edit('server.mjs', bump)
  await rig.succeed('wait', 'api')
  expect((await rig.request(api)).body).toBe('v2')
  const { code, stdout } = await rig.devsock('status')
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('ready') })
  const { services } = (await rig.status()).projects[0] ?? {}
  const config = services?.map(({ name: service }) => service)
  expect(config).toEqual(['api', 'web'])
  const [killed, server] = [await rig.daemonPid(), (await rig.request(api, '/pid')).body]
  process.kill(killed, 'SIGKILL')
  await rig.eventually(async () => (await rig.daemonPid()) !== killed)
  expect((await rig.request(api, '/pid')).body).toBe(server)
  // The configuration, too, is watched under that name.
  await rig.configure({ api: { command: ['node', 'server.mjs'], listen: api, watch: ['*.mjs'] } })
  await rig.eventually(async () => (await rig.status()).projects[0]?.services.length === 1)
})
