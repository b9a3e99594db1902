/**
 * How the command line starts what runs: with a package of its own whose holder is a script, so that a test
 * decides what the holder does. The real holder's turn is in the other tests of this folder.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Command, type Finished } from '../rig/command.ts'
import { scrubbed } from '../rig/environment.ts'
import { eventually } from '../rig/eventually.ts'
import { CHECKOUT } from '../rig/rig.ts'

/** Locks as the holder does, then answers for the daemon until it is told to end; writes down how it was started. */
const HOLDER = `#!/usr/bin/env node
const { appendFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, readdirSync, rmSync } = require('node:fs')
const { createServer } = require('node:http')
const runtime = process.argv[process.argv.indexOf('--runtime') + 1]
const state = process.env.DEVSOCK_STATE_DIR
if (existsSync(state + '/says')) {
  console.error(readFileSync(state + '/says', 'utf8'))
  process.exit(1)
}
try { mkdirSync(runtime + '/lock') } catch { process.exit(10) }
const manifest = JSON.parse(readFileSync(__dirname + '/manifest.json'))
const files = [0, 1, 2].map((fd) => readlinkSync('/proc/self/fd/' + fd))
const { argv, env, pid } = process
appendFileSync(state + '/started', JSON.stringify({ argv, env, pid, cwd: process.cwd(), files, ...manifest }) + '\\n')
rmSync(runtime + '/control.sock', { force: true })
const server = createServer((request, response) => {
  const answers = {
    '/v1/hello': { v: 1, ...manifest, pid },
    '/v1/status': { v: 1, daemon: { pid }, projects: existsSync(state + '/up') ? [{ id: 'x', dir: '/x', services: [] }] : [] },
    '/v1/ports': { v: 1, ports: [] },
    '/v1/daemon/stop': {},
  }
  response.end(JSON.stringify(answers[request.url]))
  if (request.url !== '/v1/daemon/stop') return
  rmSync(runtime + '/lock', { recursive: true })
  server.close(() => process.exit())
  server.closeIdleConnections()
})
server.listen(runtime + '/control.sock')
`

interface Started {
  argv: string[]
  env: Record<string, string>
  pid: number
  cwd: string
  files: string[]
  version: string
  hash: string
}

/** A package with that version and content, and one user's folders. */
class Package implements AsyncDisposable {
  readonly root: string
  readonly state: string

  private constructor(root: string) {
    this.root = root
    this.state = join(root, 'state')
  }

  static async create(): Promise<Package> {
    const made = new Package(await mkdtemp(join(tmpdir(), 'devsock-launch-')))
    onTestFinished(() => made[Symbol.asyncDispose]())
    made.install('1.0.0', 'aaaaaaaaaaaa')
    return made
  }

  install(version: string, hash: string): string {
    const root = join(this.root, `package-${version}-${hash}`)
    const runtime = join(root, 'dist/runtime')
    mkdirSync(runtime, { recursive: true })
    cpSync(join(CHECKOUT, 'dist/cli'), join(root, 'dist/cli'), { recursive: true })
    cpSync(join(CHECKOUT, 'dist/proxy/protocol.js'), join(root, 'dist/proxy/protocol.js'))
    writeFileSync(join(root, 'package.json'), JSON.stringify({ type: 'module', version }))
    writeFileSync(join(runtime, 'package.json'), '{}')
    writeFileSync(join(runtime, 'manifest.json'), JSON.stringify({ version, hash }))
    writeFileSync(join(runtime, 'devsock-holder'), HOLDER)
    chmodSync(join(runtime, 'devsock-holder'), 0o755)
    return root
  }

  /** `devsock ports`: the shortest command that needs a daemon. */
  async ports(
    root = join(this.root, 'package-1.0.0-aaaaaaaaaaaa'),
    env: Record<string, string> = {},
  ): Promise<Finished> {
    const variables = scrubbed({ HOME: this.root, DEVSOCK_STATE_DIR: this.state, ...env })
    await using command = new Command(
      [process.execPath, join(root, 'dist/cli/main.cjs'), 'ports'],
      this.root,
      variables,
    )
    return await command.finished()
  }

  started(): Started[] {
    const path = join(this.state, 'started')
    if (!existsSync(path)) return []
    return readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Started)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of this.started()) {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL')
      await eventually(() => !isAlive(pid))
    }
    await rm(this.root, { recursive: true, force: true })
  }
}

/** A zombie, waiting for whoever reaps here, has ended. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) Z /.test(readFileSync(path, 'utf8'))
}

test('starts the holder from a copy, with a clean environment and nothing of the caller’s', async () => {
  const made = await Package.create()
  const { code, stderr } = await made.ports(undefined, {
    SECRET: 'x',
    NODE_OPTIONS: '--no-warnings',
    LC_ALL: 'C',
    TZ: 'UTC',
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const [holder] = made.started()
  const copy = join(made.state, 'versions/1.0.0-aaaaaaaa')
  const run = join(made.state, 'run')
  expect(holder?.argv.slice(1)).toEqual([
    join(copy, 'devsock-holder'),
    '--runtime',
    run,
    '--log',
    join(made.state, 'holder.log'),
    '--',
    process.execPath,
    join(copy, 'main.js'),
  ])
  expect(holder?.env).toMatchObject({
    LC_ALL: 'C',
    TZ: 'UTC',
    DEVSOCK_STATE_DIR: made.state,
    DEVSOCK_RUNTIME_DIR: run,
  })
  expect(holder?.env).not.toHaveProperty('SECRET')
  expect(holder?.env).not.toHaveProperty('NODE_OPTIONS')
  expect(holder?.cwd).toBe('/')
  expect(holder?.files).toEqual(['/dev/null', '/dev/null', expect.stringContaining('(deleted)')])
})

test('a second command uses the one that runs', async () => {
  const made = await Package.create()
  await made.ports()
  await made.ports()
  expect(made.started()).toHaveLength(1)
})

test('two at the same moment start one, and both are served', async () => {
  const made = await Package.create()
  const finished = await Promise.all([made.ports(), made.ports(), made.ports()])
  expect(finished.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    Array(3).fill({ code: 0, stderr: '' }),
  )
  expect(made.started()).toHaveLength(1)
  expect(readdirSync(join(made.state, 'versions'))).toEqual(['1.0.0-aaaaaaaa'])
})

test('what a crash left behind is no obstacle: a stale socket, a dead one’s lock file', async () => {
  const made = await Package.create()
  await made.ports()
  const [first] = made.started()
  if (first) process.kill(first.pid, 'SIGKILL')
  await eventually(() => first && !isAlive(first.pid))
  await rm(join(made.state, 'run/lock'), { recursive: true })
  expect(existsSync(join(made.state, 'run/control.sock'))).toBe(true)
  expect((await made.ports()).code).toBe(0)
  expect(made.started()).toHaveLength(2)
})

test('a holder that cannot start is the message', async () => {
  const made = await Package.create()
  mkdirSync(made.state, { mode: 0o700 })
  writeFileSync(join(made.state, 'says'), 'holder.sock: Address already in use')
  const { code, stderr } = await made.ports()
  expect(code).toBe(1)
  expect(stderr).toContain('devsock could not start: holder.sock: Address already in use')
  expect(readdirSync(made.state).sort()).toEqual(['run', 'says', 'versions'])
})

test('a newer package replaces the daemon while nothing is up, and leaves it alone otherwise', async () => {
  const made = await Package.create()
  const newer = made.install('1.1.0', 'bbbbbbbbbbbb')
  await made.ports()
  writeFileSync(join(made.state, 'up'), '')
  await made.ports(newer)
  expect(made.started()).toHaveLength(1)
  await rm(join(made.state, 'up'))
  expect((await made.ports(newer)).code).toBe(0)
  expect(made.started().map(({ version }) => version)).toEqual(['1.0.0', '1.1.0'])
})

test('an older package never replaces it', async () => {
  const made = await Package.create()
  const newer = made.install('1.1.0', 'bbbbbbbbbbbb')
  await made.ports(newer)
  expect((await made.ports()).code).toBe(0)
  expect(made.started().map(({ version }) => version)).toEqual(['1.1.0'])
})

test('a checkout that is not built says how to build it', async () => {
  const made = await Package.create()
  const root = made.install('1.0.0', 'cccccccccccc')
  await rm(join(root, 'dist/runtime'), { recursive: true })
  const { code, stderr } = await made.ports(root)
  expect(code).toBe(1)
  expect(stderr).toContain('npm run build')
})

test('a folder that others can enter is refused before anything is started in it', async () => {
  const made = await Package.create()
  mkdirSync(made.state)
  chmodSync(made.state, 0o755)
  const { code, stderr } = await made.ports()
  expect(code).toBe(1)
  expect(stderr).toContain('chmod 700')
  expect(readdirSync(made.state)).toEqual([])
})

test('copies of other versions go when a holder of this one has started, but for one that may be about to', async () => {
  const made = await Package.create()
  const old = made.install('0.9.0', 'bbbbbbbbbbbb')
  const copies = join(made.state, 'versions')
  mkdirSync(copies, { recursive: true, mode: 0o700 })
  for (const [name, hours] of [
    ['0.9.0-bbbbbbbb', 2],
    ['0.9.1-cccccccc', 0],
  ] as const) {
    cpSync(join(old, 'dist/runtime'), join(copies, name), { recursive: true })
    const at = Date.now() / 1000 - hours * 3600
    utimesSync(join(copies, name), at, at)
  }
  expect((await made.ports()).code).toBe(0)
  expect(readdirSync(copies).sort()).toEqual(['0.9.1-cccccccc', '1.0.0-aaaaaaaa'])
})
