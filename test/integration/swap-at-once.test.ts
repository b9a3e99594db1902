/** A save steers in the moment in which it is made: no answer is of the old code after it, whoever is busy or gone. */
import { rename, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../rig/eventually.ts'
import { stateOf } from '../rig/processes.ts'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'
import { waiting } from '../rig/standby.ts'
import { buildStaticGo } from '../rig/static-go.ts'
import { armed, isArmed, swapOnSave, taken } from '../rig/swap.ts'
import { Wire } from '../rig/wire.ts'

const V2 = bump(nodeServer())

/** Saves while processes are stopped, asks, and lets them go on once the question must have been heard. */
async function askAfterSave<T>(pids: number[], save: () => Promise<void>, ask: () => Promise<T>): Promise<T> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  try {
    await save()
    const answer = ask()
    // Old code would have answered by then: it takes a millisecond.
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200))])
    for (const pid of pids) process.kill(pid, 'SIGCONT')
    return await answer
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  }
}

/** A served project whose holder waits for a change. */
async function served(source = nodeServer(), more: object = {}, files: Record<string, string> = {}) {
  const project = await swapOnSave(source, more, files)
  await project.rig.request(project.port)
  await armed(project.rig)
  return project
}

/** The save, by that holder. */
const seen = (holder: number) =>
  eventually(async () => !(await isArmed(holder)), { what: 'a save that is seen' })

const replace = async (rig: Rig, content: string): Promise<void> => {
  await writeFile(join(rig.dir, 'api.mjs~'), content)
  await rename(join(rig.dir, 'api.mjs~'), join(rig.dir, 'api.mjs'))
}

test.each([
  ['written', (rig: Rig) => writeFile(join(rig.dir, 'api.mjs'), V2)],
  ['replaced', (rig: Rig) => replace(rig, V2)],
  [
    'renamed and written anew',
    async (rig: Rig) => {
      await rename(join(rig.dir, 'api.mjs'), join(rig.dir, 'api.mjs.orig'))
      await writeFile(join(rig.dir, 'api.mjs'), V2)
    },
  ],
])('while the daemon is busy, a new client waits for the code that was %s', async (_, save) => {
  const { rig, port } = await served()
  await using _rig = rig
  const answer = await askAfterSave(
    [await rig.daemonPid()],
    () => save(rig),
    () => rig.request(port),
  )
  expect(answer.body).toBe('v2')
})

test('a request on a connection that is open waits too, though daemon and holder are busy', async () => {
  const { rig, port } = await served()
  await using _ = rig
  using wire = await Wire.open({ port })
  expect(await wire.ask()).toBe('v1')
  const busy = [await rig.daemonPid(), await rig.holderPid()]
  expect(
    await askAfterSave(
      busy,
      () => replace(rig, V2),
      () => wire.ask(),
    ),
  ).toBe('v2')
})

/** `v1` by a thread a connection, in a server that has a process of its own, which its parent waits for. */
const PYTHON = `import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
VERSION = 'v1'
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(VERSION.encode())
if os.fork() == 0:
    ThreadingHTTPServer(('127.0.0.1', PORT), Handler).serve_forever()
os.wait()
`

async function python(): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create()
  const port = await rig.port()
  await rig.write({ 'api.py': PYTHON.replace('PORT', String(port)) })
  await rig.configure({ api: { command: ['/usr/bin/python3', 'api.py'], listen: port, watch: ['*.py'] } })
  return { rig, port }
}

async function go(): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create({ files: { 'api.txt': "'v1'" } })
  const port = await rig.port()
  await buildStaticGo(rig.dir, 'api.txt')
  await rig.configure({ api: { command: ['./server'], listen: port, watch: ['api.txt'] } })
  return { rig, port }
}

test.each([
  ['Python', 'api.py', python],
  ['static Go', 'api.txt', go],
])(
  'a server of %s is stopped by the save itself, though daemon and holder are busy',
  async (_, file, made) => {
    const { rig, port } = await made()
    await using _rig = rig
    await rig.up()
    await rig.request(port)
    await armed(rig)
    const server = (await rig.service('api')).pid ?? 0
    // Whoever is being served is served to the end.
    const busy = [await rig.daemonPid(), await rig.holderPid()]
    const save = async () => {
      await rig.edit(file, bump)
      await eventually(() => stateOf(server) === 'T')
    }
    // One after the other: each of them is answered, and by nobody that has not read the file.
    const answers = await askAfterSave(busy, save, () => Promise.all([rig.request(port), rig.request(port)]))
    expect(answers.map(({ body }) => body.replaceAll("'", ''))).toEqual(['v2', 'v2'])
    expect((await rig.succeed('logs', 'api')).stdout).not.toMatch(/error/i)
  },
)

test('a holder that dies while a server is stopped is followed by one that lets it go on', async () => {
  const { rig, port } = await python()
  await using _ = rig
  await rig.up()
  await rig.request(port)
  await armed(rig)
  const holder = await rig.holderPid()
  process.kill(holder, 'SIGSTOP')
  await rig.edit('api.py', bump)
  const answer = rig.request(port)
  process.kill(holder, 'SIGKILL')
  expect((await answer).body).toBe('v2')
  await rig.eventually(async () => (await rig.service('api')).lastExit !== null)
  expect((await rig.service('api')).lastExit).toMatchObject({ signal: 'SIGTERM' })
})

test('a daemon that is killed just after the save leaves nobody waiting', async () => {
  const { rig, port } = await served()
  await using _ = rig
  const daemon = await rig.daemonPid()
  process.kill(daemon, 'SIGSTOP')
  await replace(rig, V2)
  const answer = rig.request(port)
  process.kill(daemon, 'SIGKILL')
  expect((await answer).body).toBe('v2')
})

test('the next holder knows what is waited for', async () => {
  const { rig, port } = await served()
  await using _ = rig
  const holder = await rig.holderPid()
  process.kill(holder, 'SIGKILL')
  await rig.eventually(async () => ![0, holder].includes(await rig.holderPid()))
  await armed(rig)
  const next = await rig.holderPid()
  const save = async () => {
    await replace(rig, V2)
    await seen(next)
  }
  const answer = await askAfterSave([await rig.daemonPid()], save, () => rig.request(port))
  expect(answer.body).toBe('v2')
})

test('a file that was written to is a change though it seems the same, so that nobody waits for one', async () => {
  await using rig = await Rig.create({ files: { 'api.mjs': nodeServer() } })
  const port = await rig.port()
  const save = async () => {
    await writeFile(join(rig.dir, 'api.mjs'), nodeServer())
    await utimes(join(rig.dir, 'api.mjs'), 1, 1)
  }
  await save()
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'] } })
  await rig.up()
  await rig.request(port)
  await armed(rig)
  const answer = await askAfterSave([await rig.daemonPid()], save, () => rig.request(port))
  expect(answer.body).toBe('v1')
  await taken(rig)
  expect((await rig.service('api')).lastSwap).toMatchObject({ to: 2, cause: 'a watched file' })
})

test('with a process that stands by, a save leads to it', async () => {
  const { rig, port } = await served(nodeServer(), { standby: true })
  await using _ = rig
  await waiting(rig)
  const answer = await askAfterSave(
    [await rig.daemonPid()],
    () => replace(rig, V2),
    () => rig.request(port),
  )
  expect(answer.body).toBe('v2')
  await taken(rig)
  expect((await rig.service('api')).generation).toBe(2)
})

test.each([
  ['what is not watched any more', { watch: ['*.ts'] }],
  ['what nobody watches any more', { watch: false }],
])('%s changes nothing', async (_, more) => {
  const { rig, port } = await served()
  await using _rig = rig
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, ...more } })
  const holder = await rig.holderPid()
  await rig.eventually(async () => !(await isArmed(holder)), { what: 'no tripwire' })
  await truncate(join(rig.dir, 'api.mjs'))
  expect((await rig.request(port)).body).toBe('v1')
  await writeFile(join(rig.dir, 'api.ts'), '')
  expect((await rig.request(port)).body).toBe('v1')
  expect((await rig.service('api')).generation).toBe(1)
})

test('a file that is no longer there steers as well, and who comes is told', async () => {
  const { rig, port } = await served()
  await using _ = rig
  await rename(join(rig.dir, 'api.mjs'), join(rig.dir, 'elsewhere'))
  const answer = await rig.request(port)
  expect(answer.status).toBe(503)
  await replace(rig, V2)
  await taken(rig)
  expect((await rig.request(port)).body).toBe('v2')
})
