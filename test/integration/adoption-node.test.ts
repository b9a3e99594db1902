/** Node processes of a generation that listen on nothing of it: they are as they would be without the script in them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

/** Runs PROGRAM, and says at its end what there is to be seen of anybody else in the process. */
const probe = (program: string): string => `
const fs = require('fs')
const http = require('http')
const net = require('net')
process.on('exit', () => {
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try { return fs.readlinkSync('/proc/self/fd/' + fd).replace(/\\d+/g, '') } catch { return 'the folder itself' }
  })
  const methods = ({ prototype }) => Object.entries(Object.getOwnPropertyDescriptors(prototype)).map(([name, { value }]) => name + String(value))
  const { NODE_OPTIONS, LISTEN_PID, ...environment } = process.env
  const seen = {
    scripted: NODE_OPTIONS !== '',
    globals: Object.getOwnPropertyNames(globalThis),
    resources: process.getActiveResourcesInfo(),
    listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
    modules: Object.keys(require.cache).filter((path) => !path.endsWith('/devsock-node.cjs')),
    mapped: fs.readFileSync('/proc/self/maps', 'utf8').match(/\\/.*devsock.*\\.node$/gm),
    methods: [net.Server, net.Socket, http.Server, http.ServerResponse].map(methods),
    threads: /Threads:.*/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[0],
    options: process.execArgv,
    environment,
    descriptors: links.sort(),
  }
  fs.appendFileSync('seen', JSON.stringify(seen) + '\\n')
})
${program}
`

test.each([
  ['a script that only runs', ''],
  [
    'a client of its own server',
    `const server = http.createServer((_, response) => response.end()).listen(0, () =>
      http.get({ port: server.address().port }, (response) => response.resume().on('end', () => server.close())))`,
  ],
  [
    'a server of a unix socket',
    `const server = net.createServer().listen('own.sock', () => net.connect('own.sock').on('connect', () => server.close()).end())`,
  ],
])('is as it would be without the script: %s', async (_, program) => {
  await using rig = await Rig.create({ files: { 'probe.js': probe(program), 'server.mjs': nodeServer() } })
  const port = await rig.port()
  const command = 'NODE_OPTIONS= node probe.js && node probe.js && exec node server.mjs'
  await rig.configure({ web: { command, listen: port } })
  await rig.up()
  expect((await rig.request(port)).body).toBe('v1')
  const seen = await readFile(join(rig.dir, 'seen'), 'utf8')
  const [without, scripted] = seen
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(scripted).toEqual({ ...without, scripted: true })
  expect(without).toMatchObject({ scripted: false, mapped: null, resources: [] })
})
