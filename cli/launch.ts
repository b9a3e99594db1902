/** Makes sure that a daemon runs, and that it is ours: whatever a crash, a kill or a reboot left behind. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, readSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import { Client, type Hello } from './client.ts'
import { type Folders, locateFolders, prepareFolders } from './folders.ts'
import { type Io, printLine } from './io.ts'
import { compareVersions } from './package.ts'
import { installRuntime, type Manifest, readManifest, removeOldRuntimes } from './runtime-copy.ts'
import { isHolderAlive } from './transport.ts'

const START_MS = 10_000
const POLL_MS = 20
/** The holder's way of saying that another one has the lock: two `up` at the same moment, or one behind a `down`. */
const EXIT_LOCKED = 10
const LOCKED = Symbol('locked')
const LAST_LINES = 5

/** A client of a daemon that has answered. Starts holder and daemon if none runs. */
export async function ensureDaemon(io: Io): Promise<Result<Client>> {
  const refused = refuseSudo(io.env)
  if (!refused.ok) return refused
  const folders = prepareFolders(locateFolders(io.env))
  if (!folders.ok) return folders
  const client = new Client(folders.value)
  const manifest = readManifest()
  const running = await client.hello()
  if (running.ok) return manifest.ok ? replaceIfIdle(client, running.value, manifest.value, io) : ok(client)
  if (running.failure.code !== 'not-up') return running
  return manifest.ok ? launch(client, manifest.value, io.env) : manifest
}

/** Files that root makes in a user's state folder lock that user out; and root's servers are not the user's. */
function refuseSudo(env: NodeJS.ProcessEnv): Result<null> {
  if (!env.SUDO_UID || Number(env.SUDO_UID) === process.getuid?.()) return ok(null)
  return fail(
    'run-as-root',
    'devsock does not run under sudo: it would own files and servers as another user than you.',
    'Run it as yourself. For ports below 1024: sudo sysctl net.ipv4.ip_unprivileged_port_start=80',
  )
}

/** Another build's daemon makes way while nothing is up; never for an older version. */
async function replaceIfIdle(
  client: Client,
  running: Hello,
  ours: Manifest,
  io: Io,
): Promise<Result<Client>> {
  if (running.hash === ours.hash || compareVersions(ours.version, running.version) < 0) return ok(client)
  const status = await client.status()
  if (!status.ok) return status
  if (status.value.projects.length > 0) {
    if (io.interactive) {
      const which = running.version === ours.version ? 'another build of it' : `version ${running.version}`
      printLine(io.stderr, io.paint('dim', `The daemon is ${which}; devsock down --all lets this one start.`))
    }
    return ok(client)
  }
  const stopped = await stopDaemon(client)
  return stopped.ok ? launch(client, ours, io.env) : stopped
}

/** Asks the daemon to end, and waits until its holder has gone too. */
export async function stopDaemon(client: Client): Promise<Result<null>> {
  const asked = await client.stopDaemon()
  if (!asked.ok) return asked
  const deadline = Date.now() + START_MS
  while (existsSync(client.folders.controlSocket) || (await isHolderAlive(client.folders))) {
    if (Date.now() > deadline)
      return fail(
        'daemon-failed',
        `The holder still runs ${START_MS / 1000} s after it was told to end.`,
        'devsock daemon logs',
      )
    await delay(POLL_MS)
  }
  return ok(null)
}

async function launch(client: Client, manifest: Manifest, env: NodeJS.ProcessEnv): Promise<Result<Client>> {
  const { folders } = client
  const copy = installRuntime(folders.state, manifest)
  if (!copy.ok) return copy
  let holder = startHolder(copy.value, folders, env)
  await using _ = { [Symbol.asyncDispose]: () => holder[Symbol.asyncDispose]() }
  const deadline = Date.now() + START_MS
  while (Date.now() < deadline) {
    const hello = await client.hello(Math.max(1, deadline - Date.now()))
    if (hello.ok) {
      if (hello.value.hash === manifest.hash) removeOldRuntimes(folders.state, copy.value)
      return ok(client)
    }
    if (hello.failure.code !== 'not-up') return hello
    const ended = holder.ended()
    if (ended === LOCKED) {
      // Another one starts, which will answer, or it is about to end: then the lock is free in a moment.
      await holder[Symbol.asyncDispose]()
      await delay(POLL_MS)
      holder = startHolder(copy.value, folders, env)
    } else if (ended !== null) {
      return fail('daemon-failed', `devsock could not start: ${ended}`, 'devsock daemon logs')
    }
    await delay(POLL_MS)
  }
  return fail(
    'daemon-failed',
    `The daemon did not answer within ${START_MS / 1000} s.${lastWords(folders)}`,
    'devsock daemon logs',
  )
}

interface StartedHolder extends AsyncDisposable {
  /** Null while it runs; LOCKED, or what it said, when it has ended. */
  ended(): string | typeof LOCKED | null
}

/**
 * It lives on alone: a session of its own, no descriptor of ours. What it says before its log is open goes
 * to a file that has no name any more, as a pipe would break when we leave.
 */
function startHolder(copy: string, folders: Folders, env: NodeJS.ProcessEnv): StartedHolder {
  const path = join(folders.state, `.start-${process.pid}`)
  const stderr = openSync(path, 'w+', 0o600)
  unlinkSync(path)
  const child = spawn(
    join(copy, 'devsock-holder'),
    ['--runtime', folders.runtime, '--log', folders.log, '--', process.execPath, join(copy, 'main.js')],
    { detached: true, stdio: ['ignore', 'ignore', stderr], cwd: '/', env: daemonEnv(folders, env) },
  )
  let ended: string | typeof LOCKED | null = null
  child.on('error', (error) => {
    ended = error.message
  })
  child.on('exit', (code, signal) => {
    if (code === EXIT_LOCKED) ended = LOCKED
    else ended = readText(stderr) || `the holder ended with ${signal ?? `status ${code}`}.`
  })
  child.unref()
  return {
    ended: () => ended,
    async [Symbol.asyncDispose]() {
      child.removeAllListeners('exit')
      closeSync(stderr)
    },
  }
}

const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'TZ',
  'TMPDIR',
  'DEVSOCK_DASHBOARD_PORT',
] as const

/** The daemon outlives this shell, so it gets nothing of it but what names the user, the language and the folders. */
export function daemonEnv(folders: Folders, env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    const isKept =
      INHERITED.some((each) => each === name) || name.startsWith('LC_') || name.startsWith('XDG_')
    if (value !== undefined && isKept) kept[name] = value
  }
  return { ...kept, DEVSOCK_STATE_DIR: folders.state, DEVSOCK_RUNTIME_DIR: folders.runtime }
}

function readText(fd: number): string {
  const buffer = Buffer.alloc(4_096)
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0)).trim()
}

/** What was written last, for the message of a start that failed. */
function lastWords({ log }: Folders): string {
  if (!existsSync(log)) return ''
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LAST_LINES)
  return ` Its last words: ${lines.join(' · ')}`
}
