/** The daemon: puts its rooms together, and takes them apart. Started by the holder, which starts it again. */
import { mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { raiseFileLimit, setCloseOnExec } from '../native/index.ts'
import { locate } from '../native/locate.ts'
import { bindDashboard, Dashboard } from './control/dashboard.ts'
import { Token } from './control/dashboard-token.ts'
import { EventStreams, OPEN_DOOR } from './control/events.ts'
import { Hub } from './control/hub.ts'
import { Pulse } from './control/pulse.ts'
import type { Controls } from './control/routes.ts'
import { ControlServer } from './control/server.ts'
import type { HolderEvent } from './holder/event.ts'
import { HolderLink } from './holder/link.ts'
import type { DaemonStatus } from './protocol.ts'
import { preloadable } from './services/adoption.ts'
import type { Context } from './services/context.ts'
import { Expectations } from './services/expectations.ts'
import { Graph } from './services/graph.ts'
import { Projects } from './services/projects.ts'
import { fileWatches } from './watch/file-watches.ts'

/** A daemon that nobody uses leaves: at once after the last `down`, else after this long. */
const UNUSED_MS = 5_000

const startedAt = new Date().toISOString()
const stateDir =
  process.env.DEVSOCK_STATE_DIR ??
  join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'devsock')
const runtimeDir = process.env.DEVSOCK_RUNTIME_DIR ?? join(stateDir, 'run')
const folders = { logs: join(stateDir, 'logs'), state: join(stateDir, 'projects') }
const log = pino(
  { base: null, timestamp: pino.stdTimeFunctions.isoTime, level: process.env.DEVSOCK_LOG_LEVEL ?? 'info' },
  pino.destination({ fd: 1, sync: true }),
)
const manifest = readManifest()

raiseFileLimit()
const lockFd = Number(process.env.DEVSOCK_LOCK_FD)
setCloseOnExec(lockFd, true)
for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true, mode: 0o700 })

// Events that come while the list of what there is is still being read belong after it.
const early: HolderEvent[] = []
let onEvent = (event: HolderEvent): void => void early.push(event)
const holder = await HolderLink.open({
  runtimeDir,
  log: join(stateDir, 'holder.log'),
  lockFd,
  daemonArgv: [process.execPath, fileURLToPath(import.meta.url)],
  onEvent: (event) => onEvent(event),
  report: (line) => log.warn(line),
  onLost: (error) => {
    log.error({ error: String(error) }, 'the holder is lost')
    process.exit(1)
  },
})

const expect = new Expectations(holder)
const context: Context = {
  holder,
  expect,
  adopter: {
    library: preloadLibrary(),
    nodeScript: fileURLToPath(new URL('devsock-node.cjs', import.meta.url)),
    holderSocket: join(runtimeDir, 'holder.sock'),
  },
  log,
  watchFile: fileWatches(),
  now: Date.now,
  publish: (news) => hub.publish(news),
  changed: (unit) => pulse.changed(unit, hub),
  woken: (member, generation) => graph.woken(member, generation),
}
const projects = new Projects(context, folders, () => void leave('the last project went down'))
const graph = new Graph(context, () => projects.members())
const pulse = new Pulse(context, projects, graph)
const hub = new Hub(
  () => ({ daemon: daemon(), projects: projects.statuses(), ...graph.snapshot() }),
  () => pulse.heed(hub),
)

await projects.resume(await holder.list())
onEvent = (event) => {
  expect.on(event)
  projects.on(event)
}
for (const event of early.splice(0)) onEvent(event)

const token = Token.load(join(stateDir, 'dashboard-token'))
const page = await bindDashboard(context, process.env.DEVSOCK_DASHBOARD_PORT)
const controls: Controls = {
  context,
  projects,
  hash: manifest.hash,
  daemon,
  dashboardLink: () => page && `${page.url}#${token.text}`,
  stop: () => void leave('asked to'),
}
const streams = new EventStreams(hub, projects, log)
const control = await ControlServer.listen(join(runtimeDir, 'control.sock'), controls)
streams.serve(control.http, OPEN_DOOR)
const pageFiles = fileURLToPath(new URL('dashboard', import.meta.url))
const dashboard = page && new Dashboard(page, token, pageFiles, controls, streams)
let unused = setTimeout(leaveUnused, UNUSED_MS)
control.http.on('request', () => {
  clearTimeout(unused)
  unused = setTimeout(leaveUnused, UNUSED_MS)
})
process.on('SIGTERM', () => void leave('SIGTERM'))
process.on('SIGHUP', () => {})
log.info({ pid: process.pid, version: manifest.version, projects: projects.size }, 'the daemon is up')

function daemon(): DaemonStatus {
  return {
    pid: process.pid,
    holderPid: holder.holderPid,
    version: manifest.version,
    startedAt,
    dashboard: page?.url ?? null,
  }
}

function leaveUnused(): void {
  if (projects.unused) void leave('unused')
  else unused = setTimeout(leaveUnused, UNUSED_MS)
}

let leaving = false
async function leave(why: string): Promise<void> {
  if (leaving) return
  leaving = true
  log.info(`leaving: ${why}`)
  projects.close()
  clearTimeout(unused)
  pulse[Symbol.dispose]()
  for (const project of projects) {
    await project.stop([], true)
    await project[Symbol.asyncDispose]()
    project.forget()
  }
  streams[Symbol.dispose]()
  await Promise.all([dashboard?.[Symbol.asyncDispose](), control[Symbol.asyncDispose]()])
  await holder.shutdown()
  process.exit(0)
}

/** Null where it cannot be preloaded: then a program gets its slot by inheritance alone. */
function preloadLibrary(): string | null {
  if (process.platform !== 'linux') return null
  const library = locate('devsock-adopt.so')
  if (preloadable(library)) return library
  log.warn(`programs have to listen on fd 3: no path with a space or a colon can be preloaded: ${library}`)
  return null
}

/** What this copy is; sources that run by themselves have no manifest. */
function readManifest(): { version: string; hash: string } {
  try {
    return JSON.parse(readFileSync(new URL('manifest.json', import.meta.url), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { version: '0.0.0', hash: 'source' }
  }
}
