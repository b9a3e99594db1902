/**
 * Real servers behind a held port, started by their ordinary command: what all of them have to do, as one test a
 * server, and the table of what was seen.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { allProcesses, socketInodes } from '../../../proxy/services/processes.ts'
import { CHECKOUT, type Files, Rig } from '../../rig/rig.ts'

const PACKAGES = fileURLToPath(new URL('node_modules', import.meta.url))

export interface Server {
  name: string
  /** A command that prints the version. */
  version: string[]
  /** What it serves holds `v1`. */
  files: Files
  /** Reads $PORT, as the user's own would. */
  command: string
  path?: string
  /** How its own log names a client of 127.0.0.1; absent: it does not say. */
  logs?: RegExp
  /** It takes in a change of this file by itself. */
  reloads?: string
  /** Needs the npm packages of this folder; `copied` where it follows no link out of its own. */
  packages?: 'linked' | 'copied'
  swap?: 'exclusive'
  /** Before `up`. */
  prepare?: (rig: Rig) => void
  /** While it runs: what it alone can do. */
  also?: (rig: Rig, port: number) => Promise<void>
  notes?: string
}

interface Row {
  server: string
  version: string
  handover: string
  'cold ms': number
  'swap ms': number
  notes: string
}

/** How long the slowest may take to answer for the first time, ms: Next compiles. */
const FIRST_ANSWER = 30_000

/** One test a server. The table is printed, and written to test-results/. */
export function matrix(title: string, servers: readonly Server[]): void {
  const rows: Row[] = []
  for (const server of servers) {
    test(`${server.name} starts with its first connection, swaps, and ends, behind a held port`, async () => {
      rows.push(await prove(server))
    })
  }
  afterAll(() => {
    console.table(Object.fromEntries(rows.map(({ server, ...row }) => [server, row])))
    const folder = join(CHECKOUT, 'test-results')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `servers-${title}.json`), `${JSON.stringify(rows, null, 1)}\n`)
  })
}

async function prove(server: Server): Promise<Row> {
  const { command, path = '/', swap, prepare, also, reloads } = server
  await using rig = await Rig.create({ files: server.files })
  if (server.packages) await provide(server.packages, join(rig.dir, 'node_modules'))
  prepare?.(rig)
  const port = await rig.port()
  await rig.configure({ web: { command, listen: port, ...(swap && { swap }) } })
  await rig.up()
  const get = async (host: string) => (await rig.request(port, path, { host, deadline: FIRST_ANSWER })).body

  const began = performance.now()
  expect(await get('127.0.0.1')).toContain('v1')
  const cold = performance.now() - began
  await rig.succeed('wait', 'web')
  await expectOnlyOurs(rig, port)
  if (server.logs) await expectLogged(rig, server.logs)
  await also?.(rig, port)
  const { handover } = await rig.service('web')

  await rig.succeed('sleep', 'web')
  await rig.eventually(async () => (await rig.service('web')).state === 'held')
  expect(await get('::1')).toContain('v1')

  const swapMs = await swapUnderLoad(rig, port, path)
  if (reloads) await reloadUnderLoad(rig, port, path, reloads)
  await expectOnlyOurs(rig, port)
  return {
    server: server.name,
    version:
      execFileSync(server.version[0] ?? '', server.version.slice(1), { cwd: rig.dir, encoding: 'utf8' })
        .replace(/^[^\d]*/, '')
        .split(/[\s",]/)[0] ?? '',
    handover: handover ?? '?',
    'cold ms': Math.round(cold),
    'swap ms': swapMs,
    notes: [
      ...(swap ? [swap] : []),
      ...(reloads ? ['own reloader'] : []),
      ...(server.notes ? [server.notes] : []),
    ].join('; '),
  }
}

/** Copies are hard links: half a gigabyte in a third of a second, where the file system is the same. */
async function provide(packages: 'linked' | 'copied', to: string): Promise<void> {
  if (packages === 'linked') return symlink(PACKAGES, to)
  const linked = spawnSync('cp', ['-al', PACKAGES, to], { stdio: 'ignore' })
  if (linked.status !== 0) execFileSync('cp', ['-a', '-T', PACKAGES, to])
}

/** Every listener on the port is a slot of the holder, and one of the generation's processes accepts from one. */
async function expectOnlyOurs(rig: Rig, port: number): Promise<void> {
  const slots = new Set(socketInodes(await rig.holderPid()))
  const listening = await listenersOn(port)
  expect(listening.length).toBeGreaterThan(0)
  expect(listening.filter((inode) => !slots.has(inode))).toEqual([])
  const { pid } = await rig.service('web')
  const group = allProcesses().filter((each) => each.group === pid)
  expect(group.flatMap((each) => socketInodes(each.pid)).some((inode) => listening.includes(inode))).toBe(
    true,
  )
}

/** Inodes of the sockets in state LISTEN (0A in proc_net_tcp). */
async function listenersOn(port: number): Promise<number[]> {
  const inodes: number[] = []
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8')).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (fields[3] === '0A' && Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port) {
        inodes.push(Number(fields[9]))
      }
    }
  }
  return inodes
}

async function expectLogged(rig: Rig, pattern: RegExp): Promise<void> {
  await rig.eventually(async () => pattern.test((await rig.succeed('logs', 'web')).stdout), {
    what: `a log line that matches ${pattern}`,
  })
}

/** `devsock restart` while clients come: all are answered. How long until the next generation was ready. */
async function swapUnderLoad(rig: Rig, port: number, path: string): Promise<number> {
  const load = rig.load({ port, path, rate: 20, deadline: FIRST_ANSWER })
  await rig.eventually(() => load.result.ok > 3, { deadline: FIRST_ANSWER })
  await rig.succeed('restart', 'web')
  await rig.succeed('wait', 'web')
  const { ok, sent, failures } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  const { lastSwap } = await rig.service('web')
  return lastSwap?.ms ?? 0
}

/** A save that the server takes in itself: new content, and nobody refused. */
async function reloadUnderLoad(rig: Rig, port: number, path: string, file: string): Promise<void> {
  const load = rig.load({ port, path, rate: 20, deadline: FIRST_ANSWER })
  await rig.eventually(() => load.result.ok > 3, { deadline: FIRST_ANSWER })
  await rig.edit(file, (content) => content.replaceAll('v1', 'v2'))
  await rig.eventually(async () => (await rig.request(port, path)).body.includes('v2'), {
    deadline: FIRST_ANSWER,
  })
  const { refused, failures } = await load.stop()
  expect({ refused, failures }).toMatchObject({ refused: 0 })
  expect(await rig.service('web')).toMatchObject({ state: 'ready', generation: 3, crashes: 0 })
}
