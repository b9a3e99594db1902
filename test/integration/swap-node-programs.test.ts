/** Keep-alive connections of Node programs of many shapes go on over a swap, and the programs end as they mean to. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bump } from '../rig/servers.ts'
import { swapOnSave, taken } from '../rig/swap.ts'
import { Wire } from '../rig/wire.ts'

const answers = 'createServer((_, response) => response.end(version))'

const cluster = (policy: string): string => `
import cluster from 'node:cluster'
import { createServer } from 'node:http'
const version = 'v1'
cluster.schedulingPolicy = cluster.${policy}
if (cluster.isPrimary) for (let worker = 0; worker < 3; worker += 1) cluster.fork()
else ${answers}.listen(Number(process.env.PORT))
`

const PROGRAMS: Record<string, string> = {
  'a server that binds its port by itself': `
import { createServer } from 'node:http'
const version = 'v1'
${answers}.listen(Number(process.env.PORT))
`,
  'a cluster by turns': cluster('SCHED_RR'),
  'a cluster that shares its listener': cluster('SCHED_NONE'),
  'worker threads': `
import { createServer } from 'node:http'
import { isMainThread, Worker } from 'node:worker_threads'
const version = 'v1'
if (isMainThread) new Worker(new URL(import.meta.url))
else ${answers}.listen({ fd: 3 })
`,
  'a server that pauses what it accepts': `
import { createServer } from 'node:http'
const version = 'v1'
const http = createServer({ pauseOnConnect: true }, (_, response) => response.end(version))
http.on('connection', (socket) => setTimeout(() => socket.resume(), 1))
http.listen({ fd: 3 })
`,
}

test.each(Object.entries(PROGRAMS))('%s: connections go to the next generation', async (_, source) => {
  const { rig, port } = await swapOnSave(source)
  await using __ = rig
  await rig.request(port)
  const wires = await Promise.all(Array.from({ length: 6 }, () => Wire.open({ port })))
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

test('several servers in one process each get the connections of their own socket', async () => {
  const source = `
import { createServer } from 'node:http'
const version = 'v1'
for (const [fd, name] of [[3, 'http'], [4, 'admin'], [5, 'unix']])
  createServer((_, response) => response.end(version + name)).listen({ fd })
`
  const { rig, port } = await swapOnSave(source)
  await using _ = rig
  const admin = await rig.port()
  const path = join(rig.dir, 'api.sock')
  await rig.configure({
    api: {
      command: ['node', 'api.mjs'],
      listen: { http: port, admin, unix: 'unix:./api.sock' },
      watch: ['*.mjs'],
    },
  })
  const targets = [{ port }, { port: admin }, { path }]
  await rig.eventually(async () => (await rig.service('api')).sockets.length === 3)
  await rig.succeed('start', 'api')
  await taken(rig)
  const wires = await Promise.all(targets.map((target) => Wire.open(target)))
  const all = () => Promise.all(wires.map((wire) => wire.ask()))
  expect(await all()).toEqual(['v1http', 'v1admin', 'v1unix'])
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect(await all()).toEqual(['v2http', 'v2admin', 'v2unix'])
  for (const wire of wires) wire[Symbol.dispose]()
})

test("the program's own handlers run at its end, when its last answer is out and its connections have gone", async () => {
  const { rig, port } = await swapOnSave(`
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
const version = 'v1'
const say = (line) => appendFileSync('said', version + ' ' + line + '\\n')
const server = createServer((request, response) => setTimeout(() => { say('answered'); response.end(version) }, 100))
server.listen({ fd: 3 })
process.on('SIGTERM', () => {
  server.getConnections((_, count) => say('SIGTERM with ' + count))
  server.close(() => { say('closed'); process.exit(0) })
})
process.on('exit', (code) => say('exit ' + code))
`)
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  const answer = wire.ask()
  await rig.eventually(async () => (await rig.service('api')).sockets[0]?.open === 1)
  await rig.edit('api.mjs', bump)
  expect(await answer).toMatch(/^v[12]$/)
  await taken(rig)
  expect(await wire.ask()).toBe('v2')
  const said = await rig.eventually(async () => {
    const text = await readFile(join(rig.dir, 'said'), 'utf8')
    return text.includes('v1 exit') ? text : null
  })
  const old = said.split('\n').filter((line) => line.startsWith('v1'))
  expect(old.slice(-3)).toEqual(['v1 SIGTERM with 0', 'v1 closed', 'v1 exit 0'])
})

test('the user keeps NODE_OPTIONS, DEVSOCK=0 and adopt: false keep the script out', async () => {
  const { rig, port } = await swapOnSave(
    `
import { createServer } from 'node:http'
createServer((_, response) => response.end(process.env.NODE_OPTIONS)).listen({ fd: 3 })
`,
    { env: { NODE_OPTIONS: '--no-warnings' } },
  )
  await using _ = rig
  expect((await rig.request(port)).body).toMatch(/^--require ".*devsock-node\.cjs" --no-warnings$/)
  for (const more of [{ adopt: false }, { env: { NODE_OPTIONS: '--no-warnings', DEVSOCK: '0' } }]) {
    const env = { NODE_OPTIONS: '--no-warnings' }
    await rig.configure({
      api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], env, ...more },
    })
    await rig.eventually(async () => (await rig.request(port)).body === '--no-warnings')
  }
})
