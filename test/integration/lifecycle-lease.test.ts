/** How long a project lives: as long as the terminal that started it, unless it was told otherwise. */
import { expect, test } from 'vitest'
import type { DevsockEvent } from '../../proxy/protocol.ts'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

async function shop(): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const port = await rig.port()
  await rig.configure({ api: { command: ['node', 'server.mjs'], listen: port, watch: ['*.mjs'] } })
  return { rig, port }
}

const isDown = async (rig: Rig): Promise<boolean> => {
  const { daemon, projects } = await rig.status()
  return projects.length === 0 && daemon === null
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  '%s to the up that started it brings it down',
  async (name) => {
    const { rig, port } = await shop()
    await using _ = rig
    const up = rig.start('up')
    expect((await rig.eventually(() => rig.request(port))).body).toBe('v1')
    up.kill(name)
    const { code } = await up.finished()
    expect(code).toBe(name === 'SIGKILL' ? null : 130)
    await rig.eventually(() => isDown(rig), { what: 'the end of the project' })
    await expect(rig.request(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await rig.eventually(async () => (await rig.processes()).length === 0, { what: 'the end of the holder' })
  },
)

test('an up that only attached leaves it as it is, and up -d makes it outlive its terminal', async () => {
  const { rig, port } = await shop()
  await using _ = rig
  const first = rig.start('up')
  const pid = (await rig.eventually(() => rig.request(port, '/pid'))).body
  const second = rig.start('up')
  await rig.eventually(() => second.stdout.includes('up already'))
  second.kill('SIGINT')
  expect((await second.finished()).code).toBe(130)
  expect((await rig.request(port, '/pid')).body).toBe(pid)

  expect((await rig.up()).stdout).toContain('up already')
  first.kill('SIGKILL')
  await first.finished()
  // Nothing may follow from the lease that has just been lost: the next request is answered after it was.
  await rig.succeed('status')
  await rig.edit('server.mjs', bump)
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v2')
})

test('the lease outlives the daemon: a restarted one still ends the project with its terminal', async () => {
  const { rig, port } = await shop()
  await using _ = rig
  const up = rig.start('up')
  await rig.eventually(() => rig.request(port))
  const killed = await rig.daemonPid()
  process.kill(killed, 'SIGKILL')
  await rig.eventually(async () => {
    const { daemon } = await rig.status()
    return daemon !== null && daemon.pid !== killed
  })
  await rig.eventually(() => up.stdout.includes('the daemon is back'))
  expect((await rig.request(port)).body).toBe('v1')
  up.kill('SIGINT')
  expect((await up.finished()).code).toBe(130)
  await rig.eventually(() => isDown(rig))
})

test('up --json is the event stream: a snapshot, then every event in its order', async () => {
  const { rig, port } = await shop()
  await using _ = rig
  const up = rig.start('up', '--json')
  const events = (): DevsockEvent[] =>
    up.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as DevsockEvent)
  await rig.eventually(() => events().some(({ type }) => type === 'snapshot'))
  await rig.request(port)
  await rig.edit('server.mjs', (text) => `console.log('hello from v2')\n${bump(text)}`)
  await rig.succeed('wait', 'api')
  await rig.eventually(() => events().some((event) => event.type === 'log' && event.text === 'hello from v2'))
  up.kill('SIGINT')
  expect((await up.finished()).code).toBe(130)
  const all = events()
  expect(all[0]).toMatchObject({ v: 1, type: 'snapshot', projects: [{ id: 'shop' }] })
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => (all[0]?.seq ?? 0) + index))
  const states = all.flatMap((event) => (event.type === 'service' ? [event.status.state] : []))
  expect(states).toEqual(expect.arrayContaining(['starting', 'ready', 'swapping']))
  expect(all.find(({ type }) => type === 'swap')).toMatchObject({
    service: 'api',
    receipt: { from: 1, to: 2, cause: 'server.mjs', policy: 'hold' },
  })
})
