/** `standby`: the next generation's process is booted ahead, and waits before the user's code. */
import { readdir, readFile, symlink } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'
import { waiting, waitingNow } from '../rig/standby.ts'
import { swapOnSave, taken } from '../rig/swap.ts'

/** proc_pid_status(5). */
const residentBytes = async (pid: number | null) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

/** Answers with the content of a file that it read at its start, too. */
const READER = nodeServer(
  'v1',
  `import { readFileSync } from 'node:fs'
const content = readFileSync('data.txt', 'utf8')
process.on('SIGUSR2', () => {})`,
).replace("'/pid'", "'/data') response.end(content)\n  else if (request.url === '/pid'")

const ready = async (more: object = {}, source = READER) => {
  const { rig, port } = await swapOnSave(source, { standby: true, ...more }, { 'data.txt': 'old' })
  await rig.request(port)
  return { rig, port }
}

test('a save is served by the process that waited, with the content of that moment, and another one waits', async () => {
  const { rig, port } = await ready()
  await using _ = rig
  for (let save = 2; save <= 4; save += 1) {
    const pid = await waiting(rig)
    expect(await rig.service('api')).toMatchObject({ state: 'ready', generation: save - 1 })
    expect((await rig.devsock('doctor')).stdout).toContain(`the next process waits (pid ${pid})`)
    const { memory, pid: serving } = await rig.service('api')
    expect(memory).toBeLessThan((await residentBytes(serving)) * 1.5)
    // Nothing watches this one: it is read by whoever starts.
    await rig.edit('data.txt', () => `data ${save}`)
    await rig.edit('api.mjs', bump)
    await taken(rig)
    expect((await rig.request(port)).body).toBe(`v${save}`)
    expect((await rig.request(port, '/data')).body).toBe(`data ${save}`)
    expect((await rig.request(port, '/pid')).body).toBe(String(pid))
    expect(await rig.service('api')).toMatchObject({ generation: save, pid, swaps: save - 1 })
  }
})

test.each(['overlap', 'exclusive'])('so it is under %s', async (swap) => {
  const { rig, port } = await ready({ swap })
  await using _ = rig
  const pid = await waiting(rig)
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  expect((await rig.service('api')).pid).toBe(pid)
})

test('its time-out counts from when it goes on', async () => {
  const { rig, port } = await ready({ ready: { timeout: '1s' } })
  await using _ = rig
  const pid = await waiting(rig)
  const since = performance.now()
  await rig.eventually(() => performance.now() - since > 1_500, { what: 'more than its time-out' })
  expect(await rig.service('api')).toMatchObject({ state: 'ready', generation: 1 })
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  expect((await rig.service('api')).pid).toBe(pid)
})

test('saves that follow each other at once end with the last content, and none is refused', async () => {
  const { rig, port } = await ready()
  await using _ = rig
  await waiting(rig)
  const load = rig.load({ port, rate: 50 })
  for (let save = 2; save <= 12; save += 1) await rig.edit('api.mjs', bump)
  await rig.eventually(async () => (await rig.request(port)).body === 'v12')
  const { refused, reset, other, failures } = await load.stop()
  expect({ refused, reset, other }, failures.join('\n')).toEqual({ refused: 0, reset: 0, other: 0 })
})

test('a watched service has one without asking for it, with what package.json has of packages that are known', async () => {
  const program = `
const version = 'v1'
const early = Object.keys(require.cache).some((path) => path.includes('/ws/'))
const { WebSocketServer } = require('ws')
require('node:http')
  .createServer((request, response) => response.end(version + ' ' + early + ' ' + typeof WebSocketServer))
  .listen(process.env.PORT)`
  await using rig = await Rig.create({
    files: { 'api.js': program, 'package.json': { dependencies: { 'not-known': '*', ws: '*' } } },
  })
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), `${rig.dir}/node_modules`)
  const port = await rig.port()
  await rig.configure({ api: { command: 'node api.js', listen: port, watch: ['*.js'] } })
  await rig.up()
  expect((await rig.request(port)).body).toBe('v1 false function')
  const pid = await waiting(rig)
  await rig.edit('api.js', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2 true function')
  expect((await rig.service('api')).pid).toBe(pid)
})

describe('packages that are loaded ahead', () => {
  /** Says in which process it was loaded. */
  const library = (version: string) => `require('node:fs').writeFileSync('loaded', String(process.pid))
module.exports = '${version}'`
  const USER = nodeServer('v1', "import library from 'library'").replace(
    "'/pid'",
    "'/library') response.end(library)\n  else if (request.url === '/pid'",
  )
  const withLibrary = (packages: string[]) =>
    swapOnSave(USER, { standby: packages }, { 'node_modules/library/index.js': library('one') })

  test('are there when it is called', async () => {
    const { rig, port } = await withLibrary(['library'])
    await using _ = rig
    expect((await rig.request(port, '/library')).body).toBe('one')
    const pid = await waiting(rig)
    expect(await readFile(`${rig.dir}/loaded`, 'utf8')).toBe(String(pid))
    await rig.edit('api.mjs', bump)
    await taken(rig)
    expect((await rig.request(port)).body).toBe('v2')
    expect((await rig.request(port, '/library')).body).toBe('one')
    expect((await rig.service('api')).pid).toBe(pid)
  })

  test('are loaded anew where they have changed meanwhile, which is no failure', async () => {
    const { rig, port } = await withLibrary(['library'])
    await using _ = rig
    await rig.request(port)
    const pid = await waiting(rig)
    await rig.write({ 'node_modules/library/index.js': library('two') })
    await rig.edit('api.mjs', bump)
    await taken(rig)
    expect((await rig.request(port, '/library')).body).toBe('two')
    const service = await rig.service('api')
    expect(service).toMatchObject({ state: 'ready', crashes: 0 })
    expect(service.pid).not.toBe(pid)
  })

  test('leave package.json to the program, too', async () => {
    const part = (name: string) => ({ dependencies: {}, imports: { '#part': `./${name}.js` } })
    const program = `require('library')
const version = 'v1'
const part = require('#part')
require('node:http').createServer((request, response) => response.end(version + part)).listen({ fd: 3 })`
    const files = {
      'node_modules/library/index.js': '',
      'one.js': "module.exports = 'one'",
      'two.js': "module.exports = 'two'",
      'package.json': JSON.stringify(part('one')),
      'api.cjs': program,
    }
    const more = { command: ['node', 'api.cjs'], standby: ['library'], watch: ['*.cjs'] }
    const { rig, port } = await swapOnSave('', more, files)
    await using _ = rig
    expect((await rig.request(port)).body).toBe('v1one')
    await waiting(rig)
    await rig.write({ 'package.json': part('two') })
    await rig.edit('api.cjs', bump)
    await taken(rig)
    expect((await rig.request(port)).body).toBe('v2two')
  })

  /** How often it was loaded in this process, and its part; the program does something before it asks for them. */
  const counted = async (first: string) => {
    const files = {
      'node_modules/library/index.js': "globalThis.loads = (globalThis.loads ?? 0) + 1\nrequire('./part.js')",
      'node_modules/library/part.js': 'globalThis.parts = (globalThis.parts ?? 0) + 1',
      'api.cjs': `const version = 'v1'
${first}
require('library')
process.env.DEBUG = 'later'
require('library/part.js')
const counts = [loads, parts].join()
require('node:http').createServer((request, response) => response.end(version + ' ' + counts)).listen({ fd: 3 })`,
    }
    const command = ['node', 'api.cjs']
    const { rig, port } = await swapOnSave('', { command, standby: ['library'], watch: ['*.cjs'] }, files)
    await using _ = rig
    expect((await rig.request(port)).body).toBe('v1 1,1')
    const pid = await waiting(rig)
    await rig.edit('api.cjs', bump)
    await taken(rig)
    expect((await rig.service('api')).pid).toBe(pid)
    return (await rig.request(port)).body
  }

  test.each([
    ['with all that they have loaded', 'process.env.COLOUR = "red"', 'v2 1,1'],
    ['but not where a variable is another that packages look at', 'process.env.DEBUG = "*"', 'v2 2,2'],
    [
      'nor where somebody has replaced how modules are loaded',
      `const { prototype } = require('node:module')
const { require: original } = prototype
prototype.require = function (name) { return original.call(this, name) }`,
      'v2 2,2',
    ],
  ])('are handed out %s', async (_, first, body) => {
    expect(await counted(first)).toBe(body)
  })

  test('and cannot be are named in the log, and left to the program', async () => {
    const { rig, port } = await withLibrary(['no-such-package', 'library'])
    await using _ = rig
    await rig.request(port)
    const pid = await waiting(rig)
    await rig.edit('api.mjs', bump)
    await taken(rig)
    expect((await rig.request(port)).body).toBe('v2')
    expect((await rig.service('api')).pid).toBe(pid)
    const { stdout } = await rig.succeed('logs', 'api')
    expect(stdout).toContain(
      "standby: no-such-package is not loaded ahead: Cannot find module 'no-such-package'",
    )
  })
})

test('one that is killed while it waits is no failure: the next save starts as ever', async () => {
  const { rig, port } = await ready()
  await using _ = rig
  const pid = await waiting(rig)
  process.kill(pid, 'SIGKILL')
  await rig.eventually(async () => !(await rig.processes()).some((each) => each.pid === pid))
  expect(await rig.service('api')).toMatchObject({ state: 'ready', generation: 1, crashes: 0 })
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  await waiting(rig)
})

test('one of an older configuration never serves', async () => {
  const { rig, port } = await ready({ env: { COLOUR: 'red' } })
  await using _ = rig
  const old = await waiting(rig)
  const service = { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], standby: true }
  await rig.configure({ api: { ...service, env: { COLOUR: 'blue' } } })
  const colour = async () => JSON.parse((await rig.request(port, '/env')).body).COLOUR
  await rig.eventually(async () => (await colour()) === 'blue')
  await rig.eventually(async () => !(await rig.processes()).some(({ pid }) => pid === old))
  const next = await waiting(rig)
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect(await colour()).toBe('blue')
  expect((await rig.service('api')).pid).toBe(next)
  // Without the key nothing waits any more.
  await rig.configure({ api: { ...service, env: { COLOUR: 'blue' }, standby: false } })
  await rig.eventually(async () => (await waitingNow(rig)).length === 0)
})

test('a service that sleeps has nothing that waits, and one that wakes has again', async () => {
  const { rig, port } = await ready()
  await using _ = rig
  await waiting(rig)
  await rig.succeed('sleep', 'api')
  await rig.until('api', 'held')
  expect(await waitingNow(rig)).toEqual([])
  expect((await rig.request(port)).body).toBe('v1')
  await waiting(rig)
})

test('the log is that of what serves, and of what served before it; what has said nothing leaves none', async () => {
  const { rig } = await ready({}, nodeServer('v1', "process.on('SIGUSR2', () => console.log(version))"))
  await using _ = rig
  const say = async () => process.kill((await rig.service('api')).pid ?? 0, 'SIGUSR2')
  const waits = await waiting(rig)
  const followed = rig.start('logs', 'api', '-f')
  await rig.eventually(async () => {
    await say()
    return followed.stdout.includes('v1')
  })
  expect((await rig.devsock('logs', 'api', '--previous')).stdout).not.toContain('v1')
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.service('api')).pid).toBe(waits)
  await say()
  await rig.eventually(() => followed.stdout.includes('v2'))
  const later = await waiting(rig)
  expect((await rig.devsock('logs', 'api', '--previous')).stdout).toContain('v1')
  const files = () => readdir(`${rig.stateDir}/logs/shop/api`)
  const before = await files()
  await rig.succeed('sleep', 'api')
  await rig.eventually(async () => !(await rig.processes()).some(({ pid }) => pid === later))
  await rig.eventually(async () => (await files()).length < before.length)
})

test('the next daemon uses what the last one had booted', async () => {
  const { rig, port } = await ready()
  await using _ = rig
  const pid = await waiting(rig)
  const daemon = await rig.daemonPid()
  process.kill(daemon, 'SIGKILL')
  await rig.eventually(async () => ![0, daemon].includes((await rig.status()).daemon?.pid ?? 0))
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  expect((await rig.service('api')).pid).toBe(pid)
})

test('it goes with its holder; the next save starts as ever', async () => {
  const { rig, port } = await ready()
  await using _ = rig
  const pid = await waiting(rig)
  const holder = await rig.holderPid()
  process.kill(holder, 'SIGKILL')
  await rig.eventually(async () => ![0, holder].includes(await rig.holderPid()))
  await rig.eventually(async () => !(await rig.processes()).some((each) => each.pid === pid))
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  await waiting(rig)
})

test('its children and its threads wait for nothing', async () => {
  const parent = nodeServer(
    'v1',
    `import { execFileSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
const child = execFileSync('node', ['-p', '"child"'], { encoding: 'utf8' }).trim()
const thread = await new Promise((resolve) => new Worker('require("node:worker_threads").parentPort.postMessage("thread")', { eval: true }).once('message', resolve))`,
  ).replace(
    "'/pid'",
    "'/both') response.end([child, thread, process.env.DEVSOCK_STANDBY].join())\n  else if (request.url === '/pid'",
  )
  const { rig, port } = await ready({}, parent)
  await using _ = rig
  const pid = await waiting(rig)
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port, '/both')).body).toBe('child,thread,')
  expect((await rig.service('api')).pid).toBe(pid)
})

test('where the shell says something to Node that acts early, nothing is booted ahead, and it says why', async () => {
  const { rig, port } = await swapOnSave(
    READER,
    { standby: true, env: { NODE_OPTIONS: '--dns-result-order=ipv4first' } },
    { 'data.txt': 'old' },
  )
  await using _ = rig
  const up = rig.start('up', '--json')
  await rig.eventually(() => up.stdout !== '')
  await rig.request(port)
  await rig.eventually(() => up.stdout.includes('NODE_OPTIONS has --dns-result-order=ipv4first'))
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
  expect(await waitingNow(rig)).toEqual([])
})
