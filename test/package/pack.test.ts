import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scrubbed } from '../rig/environment.ts'
import { CHECKOUT, Rig } from '../rig/rig.ts'

const run = promisify(execFile)
const COMPILERS = ['cc', 'gcc', 'g++', 'c++', 'clang', 'make', 'python3', 'python', 'node-gyp']

let folder: string
let tarball: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devsock-pack-'))
  // No scripts: prepack would build, and so take dist/ away from tests that run beside this one.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: CHECKOUT, env: npmEnvironment() })
  const [packed] = JSON.parse(stdout) as { filename: string }[]
  tarball = join(folder, packed?.filename ?? '')
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

/** npm with the cache and the settings of whoever runs the tests; the packages come from there. */
function npmEnvironment(path = process.env.PATH ?? ''): Record<string, string> {
  return scrubbed({
    PATH: path,
    npm_config_cache: process.env.npm_config_cache ?? join(homedir(), '.npm'),
    npm_config_userconfig: process.env.npm_config_userconfig ?? join(homedir(), '.npmrc'),
    npm_config_prefer_offline: 'true',
  })
}

/** A PATH with Node, npm and a shell, and nothing that could build. */
async function toolbox(): Promise<string> {
  const box = join(folder, 'bin')
  if (existsSync(box)) return box
  await mkdir(box)
  const places = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/bin']
  await symlink(process.execPath, join(box, 'node'))
  for (const name of ['npm', 'npx', 'sh', 'env', 'uname']) {
    const found = places.map((place) => join(place, name)).find((path) => existsSync(path))
    if (!found) throw new Error(`no ${name} on PATH`)
    await symlink(await realpath(found), join(box, name))
  }
  return box
}

const SERVER = `require('node:http')
  .createServer((_request, response) => response.end('served by ' + process.pid))
  .listen({ fd: 3 })`

/** A project of somebody's that has the packed devsock as its only dependency. */
async function installed(
  services: string[],
): Promise<{ rig: Rig; ports: number[]; install: () => Promise<void> }> {
  const path = await toolbox()
  const rig = await Rig.create({ cli: ['npx', '--no-install', 'devsock'], env: { PATH: path } })
  const ports = await Promise.all(services.map(() => rig.port()))
  const entries = services.map((name, index) => [
    name,
    { command: ['node', 'server.cjs'], listen: ports[index] },
  ])
  await rig.write({
    'package.json': { name: 'shop', private: true },
    'server.cjs': SERVER,
    'devsock.config.json': { services: Object.fromEntries(entries) },
  })
  const install = async () => {
    await run('npm', ['install', '--no-save', tarball], { cwd: rig.dir, env: npmEnvironment(path) })
  }
  await install()
  return { rig, ports, install }
}

test('the packed package installs and runs where no compiler is', async () => {
  const { rig, ports } = await installed(['web'])
  await using _ = rig
  const search = ['sh', '-c', `for each in ${COMPILERS.join(' ')}; do command -v $each; done`]
  expect((await rig.spawn(search).finished()).stdout).toBe('')
  const { scripts = {} } = JSON.parse(
    await readFile(join(rig.dir, 'node_modules/devsock/package.json'), 'utf8'),
  )
  expect(Object.keys(scripts)).not.toEqual(expect.arrayContaining([expect.stringMatching(/install$/)]))
  await rig.up()
  expect((await rig.request(ports[0] ?? 0)).body).toMatch(/^served by \d+$/)
  const down = await rig.devsock('down')
  expect(down.code, down.stderr).toBe(0)
  await expect(rig.request(ports[0] ?? 0)).rejects.toThrow('ECONNREFUSED')
})

test('a project that is up loses nothing when its node_modules go', async () => {
  const { rig, ports, install } = await installed(['running', 'held', 'later'])
  await using _ = rig
  const [running = 0, held = 0, later = 0] = ports
  await rig.up()
  const answer = (await rig.request(running)).body
  await rm(join(rig.dir, 'node_modules'), { recursive: true })
  try {
    expect((await rig.request(running)).body).toBe(answer)
    expect((await rig.request(held)).body).toMatch(/^served by/)
    // The daemon that comes next is loaded from the copy, and knows what the first one knew.
    const daemon = await rig.daemonPid()
    process.kill(daemon, 'SIGKILL')
    await rig.eventually(async () => (await rig.daemonPid()) !== daemon, { what: 'another daemon' })
    expect((await rig.request(later)).body).toMatch(/^served by/)
    expect((await rig.request(running)).body).toBe(answer)
  } finally {
    // The rig's `down` is npx again.
    await install()
  }
})
