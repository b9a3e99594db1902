/** Connections of Node servers go from one generation to the next. */
import { expect, test } from 'vitest'
import { LANES } from '../../proxy/services/state.ts'
import { KeepAliveClients } from '../rig/keep-alive.ts'
import { bump, nodeServer } from '../rig/servers.ts'
import { armed, swapOnSave, taken } from '../rig/swap.ts'
import { usageOf } from '../rig/usage.ts'
import { Wire } from '../rig/wire.ts'

test('keep-alive clients see 20 saves without a failed request, a new connection, or old code after a save was taken in', async () => {
  const { rig, port } = await swapOnSave(nodeServer())
  await using _ = rig
  await rig.request(port)
  await using clients = await KeepAliveClients.connect(port, 20)
  for (let save = 2; save <= 21; save += 1) {
    await rig.edit('api.mjs', bump)
    await taken(rig)
    clients.expect(save)
  }
  expect(await clients.stop()).toMatchObject({ failures: [], stale: [], connections: 20 })
  await rig.eventually(async () => ((await rig.service('api')).lastSwap?.moved ?? 0) > 0)
  expect((await rig.service('api')).lastSwap).toMatchObject({ cut: 0 })
})

test.each(['overlap', 'exclusive'])(
  'under %s keep-alive clients keep their connections too',
  async (swap) => {
    const { rig, port } = await swapOnSave(nodeServer(), { swap })
    await using _ = rig
    await rig.request(port)
    await using clients = await KeepAliveClients.connect(port, 10)
    for (let save = 2; save <= 6; save += 1) {
      await rig.edit('api.mjs', bump)
      await taken(rig)
    }
    await rig.eventually(async () => (await rig.service('api')).lastSwap?.moved)
    expect(await clients.stop()).toMatchObject({ failures: [], connections: 10 })
    expect((await rig.service('api')).lastSwap).toMatchObject({ policy: swap, cut: 0 })
  },
)

test('where the next program takes no connections, they are carried to it', async () => {
  const { rig, port } = await swapOnSave(nodeServer())
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  await rig.configure({
    api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], adopt: false },
  })
  await rig.edit('api.mjs', bump)
  expect(await rig.eventually(async () => (await wire.ask()) === 'v2')).toBe(true)
})

test('a save that is broken answers who asks on a parked connection with 503, and the next good one has the others', async () => {
  const { rig, port } = await swapOnSave(nodeServer())
  await using _ = rig
  await rig.request(port)
  using asks = await Wire.open({ port })
  using waits = await Wire.open({ port })
  expect([await asks.ask(), await waits.ask()]).toEqual(['v1', 'v1'])
  await rig.edit('api.mjs', (text) => `process.exit(7)\n${text}`)
  await rig.until('api', 'failed')
  expect(await asks.ask()).toContain('exit 7')
  expect(await asks.end()).toBe('end')
  await rig.edit('api.mjs', (text) => bump(text).replace(/^process.*\n/, ''))
  await taken(rig)
  expect(await waits.ask()).toBe('v2')
})

test('a request that waits on a parked connection while nothing is ready is answered by what comes', async () => {
  const slow = nodeServer('v1', 'await new Promise((resolve) => setTimeout(resolve, 500))')
  const { rig, port } = await swapOnSave(slow)
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  await rig.edit('api.mjs', bump)
  await rig.until('api', 'swapping')
  expect(await wire.ask()).toBe('v2')
})

test('a service that sleeps is woken by a request on a connection that it had before', async () => {
  const { rig, port } = await swapOnSave(nodeServer())
  await using _ = rig
  using wire = await Wire.open({ port })
  const before = await wire.ask('/pid')
  await rig.succeed('sleep', 'api')
  await rig.until('api', 'held')
  expect(Number(await wire.ask('/pid'))).not.toBe(Number(before))
  expect(await rig.service('api')).toMatchObject({ state: 'ready', activations: 2 })
})

test('a moved connection is as idle as any: no 408 after headersTimeout, and an end after keepAliveTimeout', async () => {
  const options =
    '{ headersTimeout: 300, requestTimeout: 400, connectionsCheckingInterval: 50, keepAliveTimeout: 3_000 }'
  const { rig, port } = await swapOnSave(nodeServer().replace('createServer((', `createServer(${options}, (`))
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  await rig.edit('api.mjs', bump)
  await taken(rig)
  const moved = performance.now()
  // A connection of its own tells that the time-outs are at work.
  using fresh = await Wire.open({ port })
  expect(await fresh.take(/^HTTP\/1\.1 408 [\s\S]*?\r\n\r\n/)).toBe('')
  expect(wire.received).toBe('')
  expect(await wire.ask()).toBe('v2')
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect(await wire.end()).toBe('end')
  expect(wire.received).toBe('')
  expect(performance.now() - moved).toBeGreaterThan(3_000)
})

test('a daemon that is killed in the middle of a drain costs no connection', async () => {
  const { rig, port } = await swapOnSave(nodeServer(), { drain: '20s' })
  await using _ = rig
  await rig.request(port)
  await using clients = await KeepAliveClients.connect(port, 10, '/slow')
  for (let round = 0; round < 3; round += 1) {
    await rig.edit('api.mjs', bump)
    await rig.until('api', 'swapping')
    const killed = await rig.daemonPid()
    process.kill(killed, 'SIGKILL')
    await rig.eventually(async () => {
      const { daemon } = await rig.status()
      return daemon !== null && daemon.pid !== killed
    })
    await taken(rig)
  }
  clients.expect(4)
  const before = clients.result.answered
  await rig.eventually(() => clients.result.answered > before + 20)
  expect(await clients.stop()).toMatchObject({ failures: [], stale: [], connections: 10 })
})

test('after many swaps with keep-alive clients the holder is as small as before', async () => {
  // One process at a time, so that each look finds the same.
  const { rig, port } = await swapOnSave(nodeServer(), { standby: false })
  await using _ = rig
  await rig.request(port)
  await using clients = await KeepAliveClients.connect(port, 20)
  const holder = await rig.holderPid()
  const swap = async (save: number) => {
    await rig.edit('api.mjs', bump)
    await taken(rig)
    clients.expect(save)
    await rig.eventually(async () => (await rig.processes()).filter(isServer).length === 1)
    await armed(rig)
  }
  for (let save = 2; save <= 12; save += 1) await swap(save)
  const before = await usageOf(holder)
  for (let save = 13; save <= 42; save += 1) await swap(save)
  // Those of the last swap may be on their way yet.
  const after = await rig.eventually(async () => {
    const usage = await usageOf(holder)
    return usage.descriptors === before.descriptors ? usage : null
  })
  expect(after.memory).toBeLessThan(before.memory + 0.25)
  // And the dashboard's.
  expect(after.listeners).toBeLessThanOrEqual(LANES + 1)
  expect(await clients.stop()).toMatchObject({ failures: [], stale: [], connections: 20 })
}, 240_000)

const isServer = ({ command }: { command: string }): boolean => command.includes('api.mjs')
