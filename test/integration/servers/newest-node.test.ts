/** What is needed of Node beyond its documentation is there in the newest, too. The other tests run what runs them. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { bump, nodeServer } from '../../rig/servers.ts'
import { waiting } from '../../rig/standby.ts'
import { swapOnSave, taken } from '../../rig/swap.ts'
import { Wire } from '../../rig/wire.ts'
import { INSTALL_TIME, installNode } from './packages.ts'

let command: string[]

beforeAll(() => {
  command = [installNode('newest-node'), 'api.mjs']
}, INSTALL_TIME)

/** Where nothing tells that a server waits, it is looked for after five seconds (doing/taken.ts). */
const LOOKED_FOR_MS = 5_000

test('connections move, and the server is seen to wait for the next', async () => {
  const { rig, port } = await swapOnSave(nodeServer(), { command })
  await using _ = rig
  const wires = await Promise.all(Array.from({ length: 4 }, () => Wire.open({ port })))
  for (let save = 1; save <= 3; save += 1) {
    expect(await Promise.all(wires.map((wire) => wire.ask()))).toEqual(wires.map(() => `v${save}`))
    await rig.edit('api.mjs', bump)
    await taken(rig)
    const receipt = await rig.eventually(async () => {
      const { lastSwap } = await rig.service('api')
      return lastSwap?.moved === wires.length ? lastSwap : null
    })
    expect(receipt).toMatchObject({ from: save, to: save + 1, cut: 0 })
    expect(receipt.ms).toBeLessThan(LOOKED_FOR_MS)
  }
  for (const wire of wires) wire[Symbol.dispose]()
})

test('a moved connection is as idle as any', async () => {
  const options =
    '{ headersTimeout: 300, requestTimeout: 400, connectionsCheckingInterval: 50, keepAliveTimeout: 3_000 }'
  const source = nodeServer().replace('createServer((', `createServer(${options}, (`)
  const { rig, port } = await swapOnSave(source, { command })
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  await rig.edit('api.mjs', bump)
  await taken(rig)
  // A connection of its own tells that the time-outs are at work.
  using fresh = await Wire.open({ port })
  expect(await fresh.take(/^HTTP\/1\.1 408 [\s\S]*?\r\n\r\n/)).toBe('')
  expect(await wire.ask()).toBe('v2')
})

test('the process that stands by serves what is saved, and old code nothing', async () => {
  const { rig, port } = await swapOnSave(nodeServer(), { command, standby: true })
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  const pid = await waiting(rig)
  await writeFile(join(rig.dir, 'api.mjs'), bump(nodeServer()))
  expect(await wire.ask()).toBe('v2')
  expect((await rig.request(port, '/pid')).body).toBe(String(pid))
})
