import type { PortOwner } from '../protocol.ts'
import { describeOwner } from './process.ts'

/** What is known of a process that somebody wants gone. */
export interface Suspect {
  owner: PortOwner
  uid: number
  /** Its /proc/PID/cgroup. */
  cgroup: string
}

/** Who asks: nothing that carries it, or that it must not touch, may be ended. */
export interface Asker {
  uid: number
  /** Its own process and everything above it. */
  lineage: ReadonlySet<number>
  /** devsock's own: daemon, holder, generations. */
  protectedPids: ReadonlySet<number>
  cgroup: string
}

/** Why a process is not ended, and what a person can do instead. */
export interface Refusal {
  owner: PortOwner
  message: string
  hint: string
}

/** null: it may be ended. The order is from what is never right to what is only not ours to do. */
export function refusalOf(suspect: Suspect, asker: Asker, port: number): Refusal | null {
  const { owner, uid } = suspect
  const who = describeOwner(owner)
  const refuse = (message: string, hint: string): Refusal => ({ owner, message, hint })

  if (owner.pid === 0) {
    return refuse(`port ${port} is taken by ${who}`, `see it with: sudo ss -ltnp 'sport = :${port}'`)
  }
  if (asker.protectedPids.has(owner.pid)) {
    return refuse(
      `port ${port} is held by devsock itself (pid ${owner.pid})`,
      'devsock stop SERVICE or devsock down releases it',
    )
  }
  const container = containerCommand(suspect, asker, port)
  if (container !== null) return refuse(`port ${port} is taken by a container: ${who}`, container)
  if (owner.pid === 1)
    return refuse(`port ${port} is taken by init (pid 1)`, 'systemctl list-sockets names the unit')
  if (asker.lineage.has(owner.pid)) {
    return refuse(
      `port ${port} is taken by ${who}, which this command runs under`,
      `end it by hand: kill ${owner.pid}`,
    )
  }
  const unit = systemdCommand(suspect.cgroup, asker.cgroup, asker.uid)
  if (unit !== null) return refuse(`port ${port} is taken by a systemd service: ${who}`, unit)
  if (uid !== asker.uid) {
    return refuse(
      `port ${port} is taken by another user's process: ${who}`,
      `end it by hand: sudo kill ${owner.pid}`,
    )
  }
  return null
}

/**
 * The command that stops the systemd service a process runs in, null where it runs in none. A unit that we run in
 * too (a dev container's sshd, an editor's server) is not what listens there, and desktops start every program,
 * terminals too, as a service `app-…` of the user's (systemd's XDG integration): neither counts.
 */
export function systemdCommand(cgroup: string, ownCgroup: string, ownUid: number): string | null {
  const path = unifiedPath(cgroup)
  const own = unifiedPath(ownCgroup)
  const unit = path
    .split('/')
    .filter((part) => part.endsWith('.service'))
    .at(-1)
  if (!unit || /^(app-|user@\d+\.service$)/.test(unit)) return null
  if (own.split('/').includes(unit)) return null
  const user = /\/user@(\d+)\.service\//.exec(path)?.[1]
  if (user === undefined) return `sudo systemctl stop ${unit}`
  return Number(user) === ownUid
    ? `systemctl --user stop ${unit}`
    : `sudo systemctl --user -M ${user}@ stop ${unit}`
}

/** Words that the first part of a command line may be, below any folder. */
const PROXIES = {
  'docker-proxy': 'docker',
  rootlessport: 'podman',
  'rootlesskit-docker-proxy': 'docker',
} as const

function containerCommand({ owner, cgroup }: Suspect, asker: Asker, port: number): string | null {
  const program = owner.command.split(' ')[0]?.split('/').at(-1) ?? ''
  for (const [name, tool] of Object.entries(PROXIES)) {
    if (program === name)
      return `see it with: ${tool} ps --filter publish=${port}, end it with: ${tool} stop NAME`
  }
  // /docker/<id>, docker-<id>.scope, libpod-<id>.scope, …: a process inside, on the host's own network.
  const [, tool, id] = /\b(docker|libpod|cri-containerd)[-/]([0-9a-f]{12})[0-9a-f]{52}\b/.exec(cgroup) ?? []
  if (!tool || !id || asker.cgroup.includes(id)) return null
  if (tool === 'cri-containerd') return `stop its pod (container ${id})`
  return `${tool === 'docker' ? 'docker' : 'podman'} stop ${id}`
}

/** The v2 line `0::/path`, or v1's systemd hierarchy. */
function unifiedPath(cgroup: string): string {
  return /^0::(\/.+)$/m.exec(cgroup)?.[1] ?? /^\d+:name=systemd:(\/.*)$/m.exec(cgroup)?.[1] ?? ''
}
