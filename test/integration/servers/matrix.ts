/**
 * Real servers behind a held port, started by their ordinary command: what all of them have to do, as one test a
 * server, and the table of what was seen.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { allProcesses, socketInodes } from '../../../proxy/services/processes.ts'
import { listeners } from '../../rig/ports.ts'
import { CHECKOUT, type Files, Rig } from '../../rig/rig.ts'
import { providePackages } from './packages.ts'

const CLI = join(CHECKOUT, JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')).bin.devsock)

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
  /** The port that stands in its own configuration; its service has another. */
  binds?: number
  /** For what speaks no HTTP: connects, says something, and resolves with what it heard, which holds `expects`. */
  ask?: (port: number, host: string) => Promise<string>
  /** `v1` unless said. */
  expects?: string
  /** More for its service's configuration. */
  service?: object
  /** Refuses to run as root: then the whole of devsock runs as this user of the machine. */
  user?: string
  /** Before `up`. */
  prepare?: (rig: Rig) => void
  /** While it runs: what it alone can do. */
  also?: (rig: Rig, port: number) => Promise<void>
  notes?: string
}

export interface Row {
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
  const { command, path = '/', swap, binds, prepare, also, reloads, expects = 'v1' } = server
  const user = process.getuid?.() === 0 ? server.user : undefined
  const cli = user === undefined ? undefined : [...asUser(user), process.execPath, CLI]
  await using rig = await Rig.create({ files: server.files, cli })
  if (user !== undefined) execFileSync('chown', ['-R', `${user}:`, rig.root])
  if (server.packages) await providePackages(server.packages, rig.dir)
  prepare?.(rig)
  const port = await rig.port()
  const listen = binds === undefined ? port : { address: port, binds }
  await rig.configure({ web: { command, listen, ...(swap && { swap }), ...server.service } })
  await rig.up()
  const get = async (host: string) =>
    server.ask
      ? server.ask(port, host)
      : (await rig.request(port, path, { host, deadline: FIRST_ANSWER })).body

  const began = performance.now()
  expect(await get('127.0.0.1')).toContain(expects)
  const cold = performance.now() - began
  await rig.succeed('wait', 'web')
  await expectOnlyOurs(rig, port)
  if (server.logs) await expectLogged(rig, server.logs)
  await also?.(rig, port)
  const { handover } = await rig.service('web')

  await rig.succeed('sleep', 'web')
  await rig.eventually(async () => (await rig.service('web')).state === 'held')
  expect(await get('::1')).toContain(expects)

  const swapMs = server.ask
    ? await swapWhileAsked(rig, () => get('127.0.0.1'), expects)
    : await swapUnderLoad(rig, port, path)
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
      ...(binds ? [`binds ${binds}`] : []),
      ...(reloads ? ['own reloader'] : []),
      ...(server.notes ? [server.notes] : []),
    ].join('; '),
  }
}

/** Says one thing over TCP and hears until `expects` was said, or the end. */
export async function dialogue(
  port: number,
  host: string,
  message: Uint8Array | string,
  expects: string,
): Promise<string> {
  const socket = connect({ port, host })
  const late = setTimeout(() => socket.destroy(new Error(`no ${expects} in time`)), FIRST_ANSWER)
  try {
    socket.write(message)
    let heard = ''
    for await (const chunk of socket) {
      heard += String(chunk)
      if (heard.includes(expects)) break
    }
    return heard
  } finally {
    clearTimeout(late)
    socket.destroy()
  }
}

/** setpriv(1): the same process, as somebody else. */
export const asUser = (user: string): string[] => [
  'setpriv',
  `--reuid=${user}`,
  `--regid=${user}`,
  '--init-groups',
]

/** Every listener on the port is a slot of the holder, and one of the generation's processes accepts from one. */
async function expectOnlyOurs(rig: Rig, port: number): Promise<void> {
  const slots = new Set(socketInodes(await rig.holderPid()))
  const listening = (await listeners()).filter((each) => each.port === port).map(({ inode }) => inode)
  expect(listening.length).toBeGreaterThan(0)
  expect(listening.filter((inode) => !slots.has(inode))).toEqual([])
  const { pid } = await rig.service('web')
  const group = allProcesses().filter((each) => each.group === pid)
  expect(group.flatMap((each) => socketInodes(each.pid)).some((inode) => listening.includes(inode))).toBe(
    true,
  )
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

/** The same for what speaks no HTTP: one client after the other, until the swap is over. */
async function swapWhileAsked(rig: Rig, ask: () => Promise<string>, expects: string): Promise<number> {
  let isOver = false
  const swap = rig.succeed('restart', 'web').then(() => rig.succeed('wait', 'web'))
  const over = swap.finally(() => {
    isOver = true
  })
  // Its failure is awaited below; until then it must not count as unhandled.
  over.catch(() => undefined)
  while (!isOver) expect(await ask()).toContain(expects)
  await over
  const { generation, lastSwap } = await rig.service('web')
  expect(generation).toBe(3)
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
