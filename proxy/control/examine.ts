/** What `devsock doctor` asks the daemon: does this machine do what devsock rests on, and how do the services fare. */
import { readFile } from 'node:fs/promises'
import { limits, pidfdOpen } from '../../native/index.ts'
import { HolderError } from '../holder/error.ts'
import { listListeners } from '../ports/listeners.ts'
import type { PortListing } from '../protocol.ts'
import { isDynamic } from '../services/adoption.ts'
import type { Context } from '../services/context.ts'
import type { Member } from '../services/member.ts'
import { allProcesses } from '../services/processes.ts'
import type { Project } from '../services/project.ts'

export interface Check {
  name: string
  ok: boolean
  message: string
  hint: string | null
}

/** A socket of the holder's that lives for one look: no service can have a name without a slash. */
const TRIAL_SOCKET = 'doctor'

/** Fewer descriptors than this run out with a handful of services under load. */
const ENOUGH_FILES = 1024
/** A watch a folder: a checkout with its sources has hundreds, a large one thousands. */
const ENOUGH_WATCHES = 8192

const fine = (name: string, message: string): Check => ({ name, ok: true, message, hint: null })
const wrong = (name: string, message: string, hint: string): Check => ({ name, ok: false, message, hint })

/** Every check, of the machine first; `project` null: nothing of this folder is up. */
export async function examine(context: Context, project: Project | null): Promise<Check[]> {
  const machine = await Promise.all([steering(context), pidfd(), watches(), descriptors(), preload(context)])
  if (project === null) return machine
  const listings = await listListeners()
  return [...machine, ...[...project.members.values()].map((member) => service(context, member, listings))]
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

function preload({ adopter }: Context): Check {
  return adopter.library === null
    ? wrong(
        'adoption',
        'the library cannot be preloaded: programs have to listen on fd 3',
        'set DEVSOCK_STATE_DIR to a path without a space or a colon',
      )
    : fine('adoption', 'programs that bind their own port are given the held one')
}

/** How a service came by its socket; if it did not, why, and what to do. */
function service({ adopter }: Context, member: Member, listings: readonly PortListing[]): Check {
  const { name, state, handover, sockets, reason, pid } = member.status()
  if (state === 'conflict') return wrong(name, reason.message, reason.hint ?? 'devsock up asks what to do')
  const failed = state === 'failed'
  if (sockets.length === 0)
    return failed
      ? wrong(name, reason.message, reason.hint ?? `devsock logs ${name}`)
      : fine(name, `${state}, no socket`)
  const elsewhere = strayPort(member, listings)
  const held = sockets.map(({ port, address }) => port ?? address).join(', ')
  if (elsewhere !== null && handover === null) {
    const hint = `listen: { address: ${sockets[0]?.port}, binds: ${elsewhere} }, or listen: ${elsewhere}`
    return wrong(name, `listens on ${elsewhere}, devsock holds ${held} for it`, hint)
  }
  if (pid !== null && handover === null) {
    if (!member.unit.service.adopt && failed)
      return wrong(name, 'did not take fd 3, and adopt is false', 'listen on fd 3, or remove adopt: false')
    if (!isDynamic(pid))
      return wrong(
        name,
        'is a static program, which nothing can be preloaded into',
        'listen on fd 3 (LISTEN_FDS)',
      )
  }
  if (failed) {
    const hint =
      adopter.library !== null && handover === null ? `it never bound ${held}: devsock logs ${name}` : null
    return wrong(name, reason.message, reason.hint ?? hint ?? `devsock logs ${name}`)
  }
  return fine(name, `${state}, ${how(handover)}`)
}

function how(handover: string | null): string {
  if (handover === 'preload') return 'adopted: its bind() got the held socket'
  if (handover === 'kernel') return 'adopted by the kernel: the holder answered its bind()'
  if (handover === 'inherited') return 'took the socket at fd 3'
  return handover ?? 'how it takes its socket shows when it runs'
}

/** A port that a process of the service listens on and that devsock does not hold. */
function strayPort(member: Member, listings: readonly PortListing[]): number | null {
  const leaders = new Set(member.unit.leaders.values())
  const pids = new Set(allProcesses().flatMap(({ pid, group }) => (leaders.has(group) ? [pid] : [])))
  const held = new Set(member.status().sockets.map(({ port }) => port))
  const found = listings.find(
    ({ protocol, port, owners }) =>
      protocol === 'tcp' && !held.has(port) && owners.some(({ pid }) => pids.has(pid)),
  )
  return found?.port ?? null
}
