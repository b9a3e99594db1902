/** What keeps devsock from working here is named, with what to do; exit code 1 only then. */
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

interface Check {
  name: string
  ok: boolean
  message: string
  hint: string | null
}

interface Report {
  ok: boolean
  project: string | null
  checks: Check[]
}

const report = async (rig: Rig): Promise<Report & { code: number | null }> => {
  const finished = await rig.devsock('doctor', '--json')
  return { ...(finished.json() as Report), code: finished.code }
}

const byName = ({ checks }: Report, name: string): Check | undefined =>
  checks.find((check) => check.name === name)

/** Binds `port`, whatever it is told to. */
const BINDS = (port: number): string => `import { createServer } from 'node:http'
createServer((_, response) => response.end('here')).listen(${port})
`

test('of a machine that can do it all, every line is fine', async () => {
  await using rig = await Rig.create({ files: { 'notes.txt': '' } })
  const { code, checks, project } = await report(rig)
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
  expect({ code, project }).toEqual({ code: 0, project: null })
  expect(checks.map(({ name }) => name)).toEqual([
    'node',
    'folders',
    'disk',
    'steering',
    'pidfd',
    'watches',
    'files',
    'adoption',
    'kernel adoption',
  ])
})

test('how each service takes its socket is said', async () => {
  await using rig = await Rig.create({ files: { 'fd.mjs': nodeServer() } })
  const [own, inherited, idle] = [await rig.port(), await rig.port(), await rig.port()]
  await rig.write({ 'own.mjs': BINDS(own) })
  await rig.configure({
    own: { command: 'node own.mjs', listen: own },
    inherited: { command: 'node fd.mjs', listen: inherited },
    idle: { command: 'node fd.mjs', listen: idle },
  })
  await rig.up()
  await rig.request(own)
  await rig.request(inherited)
  await rig.succeed('wait', 'own', 'inherited')
  const found = await report(rig)
  expect(found.code).toBe(0)
  expect(byName(found, 'own')?.message).toBe('ready, adopted: its bind() got the held socket')
  expect(byName(found, 'inherited')?.message).toBe('ready, took the socket at fd 3')
  expect(byName(found, 'idle')?.message).toContain('shows when it runs')
})

test('what surprises people of its framework is said of a service that is fine', async () => {
  await using rig = await Rig.create({
    files: { 'package.json': { scripts: { dev: 'php -S localhost:$PORT' } } },
  })
  await rig.configure({ web: { command: 'npm run dev', listen: await rig.port() } })
  await rig.up()
  expect(byName(await report(rig), 'web')).toMatchObject({
    ok: true,
    hint: expect.stringContaining('PHP: one request at a time'),
  })
})

test('a server that listens elsewhere is named with both ports, and how to map them', async () => {
  await using rig = await Rig.create()
  const [held, other] = [await rig.port(), await rig.port()]
  await rig.write({ 'server.mjs': BINDS(other) })
  await rig.configure({ web: { command: 'node server.mjs', listen: held, start: 'eager' } })
  await rig.up()
  const web = await rig.eventually(async () => {
    const check = byName(await report(rig), 'web')
    return check?.ok === false ? check : null
  })
  expect(web.message).toBe(`listens on ${other}, devsock holds ${held} for it`)
  expect(web.hint).toBe(`listen: { address: ${held}, binds: ${other} }, or listen: ${other}`)
  expect((await rig.devsock('doctor')).code).toBe(1)
})

test('a folder that others can reach into is a finding, not the end of the examination', async () => {
  await using rig = await Rig.create({ files: { 'notes.txt': '' } })
  await rig.devsock('ports')
  await rig.succeed('daemon', 'stop')
  await chmod(rig.stateDir, 0o755)
  const found = await report(rig)
  expect(found.code).toBe(1)
  expect(byName(found, 'folders')).toMatchObject({ ok: false, hint: expect.stringContaining('chmod 700') })
  expect(byName(found, 'node')?.ok).toBe(true)
})

test.each([
  { service: { adopt: false }, why: 'adopt is false', hint: 'remove adopt: false' },
  { service: { env: { DEVSOCK: '0' } }, why: 'DEVSOCK=0 in its environment', hint: 'unset it' },
  {
    // busybox-static, whose program is static; it stays in the foreground.
    service: { command: 'busybox httpd -f -p $PORT', adopt: 'preload' },
    why: 'it is static, or Go',
    hint: 'remove adopt: "preload"',
  },
  { service: {}, folder: 'a state', why: 'cannot be preloaded from its folder', hint: 'DEVSOCK_STATE_DIR' },
])('a service that was not adopted is told why: $why', async ({ service, folder = 'state', why, hint }) => {
  await using rig = await Rig.create()
  rig.env.DEVSOCK_STATE_DIR = join(rig.root, folder)
  const port = await rig.port()
  await rig.write({ 'server.mjs': BINDS(port) })
  await rig.configure({ web: { command: 'node server.mjs', listen: port, watch: ['*.mjs'], ...service } })
  await rig.up()
  await rig.request(port)
  const found = byName(await report(rig), 'web')
  expect(found).toMatchObject({ ok: false, message: expect.stringContaining(why) })
  expect(found?.hint).toContain(hint)
})
