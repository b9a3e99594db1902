/** Keep-alive connections of servers made with frameworks go on over a save. */
import { beforeAll, expect, test } from 'vitest'
import { bump } from '../../rig/servers.ts'
import { swapOnSave, taken } from '../../rig/swap.ts'
import { Wire } from '../../rig/wire.ts'
import { INSTALL_TIME, installPackages, providePackages } from './packages.ts'

beforeAll(installPackages, INSTALL_TIME)

const SERVERS: Record<string, string> = {
  express: `
import express from 'express'
const version = 'v1'
express().get('/', (_, response) => response.send(version)).listen(process.env.PORT)
`,
  fastify: `
import Fastify from 'fastify'
const version = 'v1'
const app = Fastify()
app.get('/', async () => version)
await app.listen({ port: Number(process.env.PORT) })
`,
  hono: `
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
const version = 'v1'
serve({ fetch: new Hono().get('/', (context) => context.text(version)).fetch, port: Number(process.env.PORT) })
`,
  'express with Vite as its middleware': `
import express from 'express'
import { createServer } from 'vite'
const version = 'v1'
const vite = await createServer({ server: { middlewareMode: true, ws: false }, appType: 'custom', logLevel: 'silent' })
const app = express()
app.use(vite.middlewares)
app.get('/', (_, response) => response.send(version)).listen(process.env.PORT)
`,
}

test.each(Object.entries(SERVERS))('%s', async (_, source) => {
  const { rig, port } = await swapOnSave(source, { drain: '20s' })
  await using __ = rig
  await providePackages('linked', rig.dir)
  const wires = await Promise.all(Array.from({ length: 4 }, () => Wire.open({ port })))
  for (let save = 1; save <= 3; save += 1) {
    const versions = await Promise.all(wires.map((wire) => wire.ask()))
    expect(versions).toEqual(wires.map(() => `v${save}`))
    await rig.edit('api.mjs', bump)
    await taken(rig)
    await rig.eventually(async () => (await rig.service('api')).lastSwap?.moved === wires.length)
  }
  expect((await rig.service('api')).lastSwap).toMatchObject({ cut: 0 })
  for (const wire of wires) wire[Symbol.dispose]()
})
