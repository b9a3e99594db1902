/** What `devsock doctor` asks the daemon: does this machine do what devsock rests on, and how do the services fare. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { limits, pidfdOpen } from '../../native/index.ts'
import { HolderError } from '../holder/error.ts'
import { listListeners } from '../ports/listeners.ts'
import type { Context } from '../services/context.ts'
import type { Project } from '../services/project.ts'
import { seccompFailure } from '../services/start-failure.ts'
import { type Check, fine, wrong } from './checks.ts'
import { examineService } from './examine-service.ts'

/** A socket of the holder's that lives for one look: no service can have a name without a slash. */
const TRIAL_SOCKET = 'doctor'

/** Between two looks whether the trial's program has gone, ms. */
const GONE_MS = 5

/** Fewer descriptors than this run out with a handful of services under load. */
const ENOUGH_FILES = 1024
/** A watch a folder: a checkout with its sources has hundreds, a large one thousands. */
const ENOUGH_WATCHES = 8192

/** Every check, of the machine first; `project` null: nothing of this folder is up. */
export async function examine(context: Context, project: Project | null): Promise<Check[]> {
  const machine = await Promise.all([
    steering(context),
    pidfd(),
    watches(),
    descriptors(),
    preload(context),
    kernel(context),
  ])
  if (project === null) return machine
  const listings = await listListeners()
  return [
    ...machine,
    ...(await Promise.all(
      [...project.members.values()].map((member) => examineService(context, member, listings)),
    )),
  ]
}

/** Two slots and the program that picks one: SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF, and lo alone for both families. */
async function steering({ holder }: Context): Promise<Check> {
  const name = 'steering'
  try {
    await holder.bind(TRIAL_SOCKET, 'loopback:0', { backlog: 1 })
    await holder.fresh(TRIAL_SOCKET, 1)
    await holder.steer(TRIAL_SOCKET, 1)
    return fine(name, 'the kernel sends new connections where devsock says')
  } catch (error) {
    if (!(error instanceof HolderError)) throw error
    const { code, syscall } = error
    return wrong(
      name,
      `${syscall} failed with ${code}`,
      'devsock needs Linux 5.7 or newer, and a sandbox that allows it',
    )
  } finally {
    if (holder.socket(TRIAL_SOCKET)) await holder.drop(TRIAL_SOCKET)
  }
}

function pidfd(): Check {
  try {
    pidfdOpen(process.pid).close()
    return fine('pidfd', 'processes are watched without races')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return wrong(
      'pidfd',
      `pidfd_open failed with ${code}`,
      'devsock needs Linux 5.3 or newer, and a sandbox that allows it',
    )
  }
}

async function watches(): Promise<Check> {
  const path = '/proc/sys/fs/inotify/max_user_watches'
  const most = Number(await readFile(path, 'utf8'))
  const message = `${most} folders may be watched`
  return most >= ENOUGH_WATCHES
    ? fine('watches', message)
    : wrong('watches', message, 'sudo sysctl fs.inotify.max_user_watches=524288')
}

function descriptors(): Check {
  const [soft] = limits().nofile
  const message = `${soft} descriptors a process`
  return soft >= ENOUGH_FILES ? fine('files', message) : wrong('files', message, 'raise it: ulimit -n 4096')
}

/** A program that ends at once, with the filter that static programs get. */
async function kernel({ holder }: Context): Promise<Check> {
  const name = 'kernel adoption'
  const invocation = randomBytes(16).toString('hex')
  const id = `${TRIAL_SOCKET}-${invocation}#1`
  const socket = `${TRIAL_SOCKET}-${invocation}`
  const { port } = await holder.bind(socket, 'loopback:0', { backlog: 1 })
  try {
    await holder.spawn({
      id,
      invocation,
      cwd: '/',
      log: '/dev/null',
      nofile: null,
      umask: 0o077,
      argv: ['/bin/true'],
      env: {},
      slots: [{ name: socket, index: 0, fdName: 'http', binds: port ?? 0 }],
    })
    while ((await holder.signal(id, 'SIGKILL', 'all')) !== null) await pause(GONE_MS)
    await holder.forget(id)
    return fine(name, 'static programs and Go are given the held port by the holder')
  } catch (error) {
    if (!(error instanceof HolderError)) throw error
    const { message, hint } = seccompFailure(error.code)
    return wrong(name, message, hint)
  } finally {
    await holder.drop(socket)
  }
}

function preload({ adopter }: Context): Check {
  return adopter.library === null
    ? wrong(
        'adoption',
        'the library cannot be preloaded: programs have to listen on fd 3',
        'set DEVSOCK_STATE_DIR to a path without a space or a colon',
      )
    : fine('adoption', 'programs that bind their own port are given the held one')
}
