import { expect, test } from 'vitest'
import type { Load } from '../rig/load.ts'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

/** One service under load, one that runs, and one that is only held: what must survive. */
async function shop(): Promise<{ rig: Rig; busy: number; quiet: number; held: number }> {
  const rig = await Rig.create()
  const [busy, quiet, held] = [await rig.port(), await rig.port(), await rig.port()]
  const service = (name: string, port: number) => ({
    command: ['node', `${name}.mjs`],
    listen: port,
    watch: [`${name}.mjs`],
  })
  await rig.write({
    'devsock.config.json': {
      name: 'shop',
      services: { busy: service('busy', busy), quiet: service('quiet', quiet), held: service('held', held) },
    },
    'busy.mjs': nodeServer(),
    'quiet.mjs': nodeServer(),
    'held.mjs': nodeServer(),
  })
  await rig.up()
  await rig.request(quiet)
  await rig.request(busy)
  return { rig, busy, quiet, held }
}

/** Stops the load when there was enough of it, and after the fault too. */
async function nothingLost(rig: Rig, load: Load): Promise<void> {
  const sofar = load.result.sent
  await rig.eventually(() => load.result.sent > sofar + 100)
  const result = await load.stop()
  const { refused, reset, timeout, other, answered, failures } = result
  expect({ refused, reset, timeout, other, answered }, failures.join('\n')).toEqual({
    refused: 0,
    reset: 0,
    timeout: 0,
    other: 0,
    answered: 0,
  })
  expect(result.ok).toBe(result.sent)
}

const pidOf = async (rig: Rig, port: number): Promise<string> => (await rig.request(port, '/pid')).body

test('20 saves under load refuse nobody', async () => {
  const { rig, busy } = await shop()
  await using _ = rig
  const load = rig.load({ port: busy, rate: 100 })
  for (let save = 1; save <= 20; save += 1) {
    await rig.edit('busy.mjs', bump, save % 2 ? 'atomic' : 'truncate')
    const done = await rig.devsock('wait', 'busy')
    expect(done.code, done.stdout + done.stderr).toBe(0)
    expect((await rig.request(busy)).body).toBe(`v${save + 1}`)
  }
  await nothingLost(rig, load)
  const { swaps, generation } = await rig.service('busy')
  expect({ swaps, generation }).toEqual({ swaps: 20, generation: 21 })
})

test('a generation that is killed under load is followed by the next, and the others go on', async () => {
  const { rig, busy, quiet, held } = await shop()
  await using _ = rig
  const load = rig.load({ port: busy, rate: 100 })
  const other = await pidOf(rig, quiet)
  const { pid } = await rig.service('busy')
  process.kill(pid ?? 0, 'SIGKILL')
  await rig.eventually(async () => (await rig.service('busy')).generation === 2)
  expect((await rig.request(busy)).body).toBe('v1')
  const result = await load.stop()
  // What the killed process had accepted is gone with it; what waited was served by the next.
  expect(result.refused, result.failures.join('\n')).toBe(0)
  expect(result.reset + result.other).toBeLessThanOrEqual(3)
  expect(await pidOf(rig, quiet)).toBe(other)
  expect((await rig.request(held)).body).toBe('v1')
  expect((await rig.service('busy')).crashes).toBe(1)
})

test('the daemon killed under load is back within a second; servers keep their pids, held services start', async () => {
  const { rig, busy, quiet, held } = await shop()
  await using _ = rig
  const pids = [await pidOf(rig, busy), await pidOf(rig, quiet)]
  const load = rig.load({ port: busy, rate: 100 })
  const killed = await rig.daemonPid()
  const at = performance.now()
  process.kill(killed, 'SIGKILL')
  // While nobody decides anything: activation is the holder's.
  expect((await rig.request(held)).body).toBe('v1')
  const back = await rig.eventually(async () => {
    const { daemon } = await rig.status()
    return daemon !== null && daemon.pid !== killed ? performance.now() : null
  })
  expect(back - at).toBeLessThan(1000)
  expect([await pidOf(rig, busy), await pidOf(rig, quiet)]).toEqual(pids)
  expect(await rig.service('held')).toMatchObject({ state: 'ready', generation: 1 })
  await rig.edit('busy.mjs', bump)
  expect((await rig.devsock('wait', 'busy')).code).toBe(0)
  expect((await rig.request(busy)).body).toBe('v2')
  await nothingLost(rig, load)
})

test('the holder killed under load is back within a second; servers keep their pids, held services start', async () => {
  const { rig, busy, quiet, held } = await shop()
  await using _ = rig
  const pids = [await pidOf(rig, busy), await pidOf(rig, quiet)]
  const daemon = await rig.daemonPid()
  const load = rig.load({ port: busy, rate: 100 })
  const killed = await rig.holderPid()
  const at = performance.now()
  process.kill(killed, 'SIGKILL')
  expect((await rig.request(held)).body).toBe('v1')
  const back = await rig.eventually(async () => {
    const pid = await rig.holderPid()
    return pid !== 0 && pid !== killed ? performance.now() : null
  })
  expect(back - at).toBeLessThan(1000)
  expect(await rig.daemonPid()).toBe(daemon)
  expect([await pidOf(rig, busy), await pidOf(rig, quiet)]).toEqual(pids)
  await rig.edit('busy.mjs', bump)
  expect((await rig.devsock('wait', 'busy')).code).toBe(0)
  expect((await rig.request(busy)).body).toBe('v2')
  await nothingLost(rig, load)
})

test('what is saved while there is no daemon is served as soon as there is one', async () => {
  const { rig, busy, quiet } = await shop()
  await using _ = rig
  const before = await pidOf(rig, quiet)
  const killed = await rig.daemonPid()
  process.kill(killed, 'SIGKILL')
  await rig.edit('busy.mjs', bump)
  const load = rig.load({ port: busy, rate: 100 })
  await rig.eventually(async () => (await rig.request(busy)).body === 'v2')
  const receipt = await rig.eventually(async () => (await rig.service('busy')).lastSwap)
  expect(receipt).toMatchObject({ from: 1, to: 2, cause: 'busy.mjs' })
  expect(await pidOf(rig, quiet)).toBe(before)
  await nothingLost(rig, load)
})

test('holder and daemon killed one after the other lose nothing', async () => {
  const { rig, busy, held } = await shop()
  await using _ = rig
  const pid = await pidOf(rig, busy)
  const load = rig.load({ port: busy, rate: 100 })
  for (let round = 0; round < 3; round += 1) {
    const before = await rig.holderPid()
    process.kill(before, 'SIGKILL')
    await rig.eventually(async () => ![0, before].includes(await rig.holderPid()))
    const daemon = await rig.daemonPid()
    process.kill(daemon, 'SIGKILL')
    await rig.eventually(async () => {
      const status = await rig.status()
      return status.daemon !== null && status.daemon.pid !== daemon
    })
  }
  expect(await pidOf(rig, busy)).toBe(pid)
  expect((await rig.request(held)).body).toBe('v1')
  await nothingLost(rig, load)
})
