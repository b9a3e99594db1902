/** The dashboard's port and its token: who has them, and what becomes of them. */
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { rawHttp } from '../rig/raw-http.ts'
import { Rig } from '../rig/rig.ts'

const portOf = async (rig: Rig): Promise<number> =>
  Number(new URL((await rig.status()).daemon?.dashboard ?? 'http://none/').port)
const readToken = (rig: Rig): string => readFileSync(join(rig.stateDir, 'dashboard-token'), 'utf8').trim()

async function upRig(): Promise<Rig> {
  const rig = await Rig.create()
  await rig.configure({ api: { command: 'true', listen: await rig.port() } })
  await rig.up()
  return rig
}

test('the port answers on this machine alone, both families', async () => {
  await using rig = await upRig()
  const port = await portOf(rig)
  const headers = { host: `localhost:${port}` }
  for (const host of ['127.0.0.1', '::1'])
    expect((await rig.request(port, '/', { host, headers })).status, host).toBe(200)
  const outer = Object.values(networkInterfaces())
    .flat()
    .filter((each) => each && !each.internal && !each.scopeid)
  for (const each of outer) {
    const reached = await new Promise<boolean>((resolve) => {
      const socket = connect(port, each?.address)
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    expect(reached, each?.address).toBe(false)
  }
})

test('a daemon that is killed has its port and its token again: who asks meanwhile waits, and is answered', async () => {
  await using rig = await upRig()
  const port = await portOf(rig)
  const token = readToken(rig)
  const { pid } = (await rig.status()).daemon ?? {}
  process.kill(pid ?? 0, 'SIGKILL')
  const asked = ['GET /v1/hello HTTP/1.1', `Host: localhost:${port}`, `Authorization: Bearer ${token}`]
  expect((await rawHttp(port, asked)).status).toBe(200)
  const { daemon } = await rig.status()
  expect(daemon?.pid).not.toBe(pid)
  expect(await portOf(rig)).toBe(port)
  expect(readToken(rig)).toBe(token)
})

test('a port that somebody has gives way to another, and every link says which', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const address = squatter.address()
  const taken = typeof address === 'object' ? address?.port : undefined
  await using other = await Rig.create({ env: { DEVSOCK_DASHBOARD_PORT: String(taken) } })
  try {
    await other.configure({ api: { command: 'true', listen: await other.port() } })
    const { stdout } = await other.up()
    const chosen = await portOf(other)
    expect(chosen).toBeGreaterThan(0)
    expect(chosen).not.toBe(taken)
    expect(stdout).toContain(`http://localhost:${chosen}/`)
    expect((await rawHttp(chosen, ['GET / HTTP/1.1', `Host: localhost:${chosen}`])).status).toBe(200)
  } finally {
    squatter.close()
  }
})

test('a token that others could have read is replaced', async () => {
  await using other = await Rig.create()
  const leaked = 'A'.repeat(24)
  mkdirSync(other.stateDir, { mode: 0o700 })
  writeFileSync(join(other.stateDir, 'dashboard-token'), leaked, { mode: 0o644 })
  await other.configure({ api: { command: 'true', listen: await other.port() } })
  await other.up()
  expect(readToken(other)).toMatch(/^[\w-]{24}$/)
  expect(readToken(other)).not.toBe(leaked)
  expect(statSync(join(other.stateDir, 'dashboard-token')).mode & 0o777).toBe(0o600)
})

test('a crowd of silent connections costs the daemon few descriptors, and the page comes back when it goes', async () => {
  await using rig = await upRig()
  const port = await portOf(rig)
  let cut = 0
  const crowd = Array.from({ length: 400 }, () =>
    connect(port, '127.0.0.1')
      .on('error', () => undefined)
      .on('close', () => {
        cut += 1
      }),
  )
  try {
    await rig.eventually(() => cut >= 400 - 256, { what: 'the end of those that are too many' })
    const { daemon } = await rig.status()
    expect(readdirSync(`/proc/${daemon?.pid}/fd`).length).toBeLessThan(256 + 100)
  } finally {
    for (const one of crowd) one.destroy()
  }
  const asked = ['GET / HTTP/1.1', `Host: localhost:${port}`]
  await rig.eventually(async () => (await rawHttp(port, asked)).status === 200)
})

test('a page keeps no project up: it goes with the terminal that it was brought up in', async () => {
  await using rig = await Rig.create()
  await rig.configure({ api: { command: 'true', listen: await rig.port() } })
  const up = rig.start('up')
  await rig.eventually(async () => (await rig.status()).projects.length === 1)
  const port = await portOf(rig)
  const page = new WebSocket(`ws://localhost:${port}/v1/events`, { origin: `http://localhost:${port}` })
  await once(page, 'open')
  page.send(JSON.stringify({ token: readToken(rig), projects: [], logs: false, lease: 'shop' }))
  await once(page, 'message')
  up.kill('SIGKILL')
  await rig.eventually(async () => (await rig.status()).projects.length === 0)
  page.terminate()
})
