/** Keep-alive connections of servers made with frameworks go on over a save. */
import { beforeAll, expect, test } from 'vitest'
import type { Rig } from '../../rig/rig.ts'
import { bump } from '../../rig/servers.ts'
import { swapOnSave, taken } from '../../rig/swap.ts'
import { get, Wire } from '../../rig/wire.ts'
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

/** It locks its folder, so that there are never two at once. */
const NEXT = {
  'api.mjs': `
import { createServer } from 'node:http'
import next from 'next'
process.env.VERSION = 'v1'
const app = next({ dev: true })
await app.prepare()
createServer(app.getRequestHandler()).listen(process.env.PORT)
`,
  'app/route.js': `
export const dynamic = 'force-dynamic'
export const GET = () => new Response(process.env.VERSION)
`,
}

/** Its answers have no length. */
async function askNext(wire: Wire): Promise<string> {
  wire.send(get('/'))
  const body = await wire.take(/^HTTP\/1\.1 200.*\r\n(?:.+\r\n)+\r\n(2)\r\n/)
  await wire.take(/^\r\n0\r\n\r\n/)
  return body
}

const connect = (port: number, count: number) =>
  Promise.all(Array.from({ length: count }, () => Wire.open({ port })))

/** All ask, before and after each save, on the connections that they had from the beginning. */
async function expectMoved(
  rig: Rig,
  wires: Wire[],
  saves: number,
  ask = (wire: Wire) => wire.ask(),
): Promise<void> {
  for (let save = 1; save <= saves; save += 1) {
    const versions = await Promise.all(wires.map(ask))
    expect(versions).toEqual(wires.map(() => `v${save}`))
    await rig.edit('api.mjs', bump)
    await taken(rig)
    await rig.eventually(async () => (await rig.service('api')).lastSwap?.moved === wires.length)
  }
  expect(await Promise.all(wires.map(ask))).toEqual(wires.map(() => `v${saves + 1}`))
  expect((await rig.service('api')).lastSwap).toMatchObject({ cut: 0 })
  for (const wire of wires) wire[Symbol.dispose]()
}

test.each(Object.entries(SERVERS))('%s', async (_, source) => {
  const { rig, port } = await swapOnSave(source, { drain: '20s' })
  await using __ = rig
  await providePackages('linked', rig.dir)
  await expectMoved(rig, await connect(port, 4), 3)
})

test('next', async () => {
  const { rig, port } = await swapOnSave(NEXT['api.mjs'], { drain: '20s', swap: 'exclusive' }, NEXT)
  await using _ = rig
  await providePackages('copied', rig.dir)
  await rig.request(port, '/', { deadline: 60_000 })
  await expectMoved(rig, await connect(port, 4), 1, askNext)
})
