import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { processesWith } from './processes.ts'
import { Rig } from './rig.ts'

/** A command line that does nothing: what it leaves behind is the rig's to find. */
const cli = [process.execPath, '-e', '']

test('a rig that left nothing disposes quietly and its folder goes', async () => {
  const rig = await Rig.create({ cli, files: { 'a/b.json': { deep: true } } })
  expect(JSON.parse(await readFile(`${rig.dir}/a/b.json`, 'utf8'))).toEqual({ deep: true })
  await rig[Symbol.asyncDispose]()
  expect(existsSync(rig.root)).toBe(false)
})

test('a process that outlives the rig fails the test and is ended all the same', async () => {
  const rig = await Rig.create({ cli, leave: 50 })
  // setsid: it leaves the group that the rig would end.
  rig.spawn(['setsid', '--fork', 'sleep', '1000'])
  const marks = [`DEVSOCK_STATE_DIR=${rig.stateDir}`]
  // Before that it is setsid, which is still of that group.
  await rig.eventually(async () =>
    (await processesWith(marks)).some(({ command }) => command === 'sleep 1000'),
  )
  await expect(rig[Symbol.asyncDispose]()).rejects.toThrow(/process \d+ sleep 1000/)
  expect(await processesWith(marks)).toEqual([])
})

test('a rig that nobody disposes goes with its test', async ({ onTestFinished }) => {
  let root: string
  // The last that is registered is the first to run: the rig's own comes before this one.
  onTestFinished(() => expect(existsSync(root)).toBe(false))
  root = (await Rig.create({ cli })).root
})

test('a port that still listens fails the test', async () => {
  const rig = await Rig.create({ cli, leave: 50 })
  const port = await rig.port()
  const server = createServer().listen(port)
  await once(server, 'listening')
  await expect(rig[Symbol.asyncDispose]()).rejects.toThrow(`port ${port}`)
  server.close()
})

test('a file in the runtime folder fails the test', async () => {
  const rig = await Rig.create({ cli, leave: 50 })
  await rig.write({ 'holder.sock': '' }, rig.runtimeDir)
  await expect(rig[Symbol.asyncDispose]()).rejects.toThrow(/file .*holder\.sock/)
  expect(existsSync(rig.root)).toBe(false)
})

test('a command past its deadline is killed with its children and says what it said', async () => {
  await using rig = await Rig.create({ cli })
  const command = rig.spawn(['sh', '-c', 'echo here; sleep 1000'])
  await rig.eventually(() => command.stdout)
  await expect(command.finished(1)).rejects.toThrow(/did not end in 1 ms[\s\S]*here/)
})

test('a rig passes no variable of the runner on', async () => {
  process.env.LISTEN_FDS = '1'
  process.env.npm_config_x = '1'
  try {
    await using rig = await Rig.create({ cli })
    const { stdout } = await rig.spawn(['env']).finished()
    expect(stdout).not.toMatch(/^(NODE_|npm_|LISTEN_|VITEST|CI=)/m)
    expect(stdout).toContain(`DEVSOCK_STATE_DIR=${rig.stateDir}`)
  } finally {
    delete process.env.LISTEN_FDS
    delete process.env.npm_config_x
  }
})

test('a load sends at its rate and tells answered from refused', async () => {
  await using rig = await Rig.create({ cli })
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/no' ? 503 : 200
    response.end('hi')
  }).listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const load = rig.load({ port, rate: 200 })
  const failing = rig.load({ port, rate: 200, path: '/no' })
  await rig.eventually(() => load.result.ok >= 20 && failing.result.answered >= 20)
  const { sent, ok, failures, bodies } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  expect([...bodies]).toEqual([['hi', ok]])
  await failing.stop()
  expect(failing.result.ok).toBe(0)
  server.close()
  await once(server, 'close')
  await using refused = rig.load({ port, rate: 200 })
  await rig.eventually(() => refused.result.refused > 0)
  expect(refused.result.ok).toBe(0)
})

test('what does not come true by its deadline says why, with the logs', async () => {
  await using rig = await Rig.create({ cli })
  await rig.write({ 'logs/daemon.log': 'the last words' }, rig.stateDir)
  const never = () => {
    throw new Error('not there')
  }
  const waited = rig.eventually(never, { deadline: 1, what: 'the moon' })
  await expect(waited).rejects.toThrow(/the moon did not come true.*not there[\s\S]*the last words/)
})
