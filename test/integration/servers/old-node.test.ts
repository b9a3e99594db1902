/** A Node that is too old for the script in its NODE_OPTIONS is left alone by it, and adopted as any program. */
import { beforeAll, expect, test } from 'vitest'
import { bump } from '../../rig/servers.ts'
import { swapOnSave, taken } from '../../rig/swap.ts'
import { INSTALL_TIME, installNode } from './packages.ts'

let node: string

beforeAll(() => {
  node = installNode('old-node')
}, INSTALL_TIME)

test('it serves, is swapped, and says nothing of it', async () => {
  const source = `
const { createServer } = require('http')
const version = 'v1'
createServer((_, response) => response.end(version)).listen(process.env.PORT)
`
  const { rig, port } = await swapOnSave(
    '',
    { command: [node, 'api.js'], watch: ['*.js'] },
    { 'api.js': source },
  )
  await using _ = rig
  expect((await rig.request(port)).body).toBe('v1')
  await rig.edit('api.js', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  expect(await rig.service('api')).toMatchObject({ handover: 'preload', crashes: 0 })
  expect((await rig.succeed('logs', 'api')).stdout).toBe('')
})
