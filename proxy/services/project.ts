import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { addressPort, printAddress } from '../config/address.ts'
import { difference } from '../config/difference.ts'
import type { BoundSockets } from '../config/environment.ts'
import type { ResolvedProject } from '../config/types.ts'
import type { HolderList } from '../holder/held.ts'
import type { Failure, ProjectStatus, Subscription, UpRequest } from '../protocol.ts'
import { Barrier } from './barrier.ts'
import { Census } from './census.ts'
import { Configuration, type Configured } from './configuration.ts'
import type { Context } from './context.ts'
import { Member, type SavedMember } from './member.ts'
import { StateFile } from './state-file.ts'
import type { UnitHome } from './unit.ts'

/** What of a project is kept for the next daemon. */
export interface SavedProject {
  v: 1
  request: UpRequest
  resolved: ResolvedProject
  members: Record<string, SavedMember>
}

export interface Folders {
  logs: string
  /** One file a project. */
  state: string
}

/** A project that is up: its services, its configuration, and who keeps it up. */
export class Project implements AsyncDisposable {
  readonly members = new Map<string, Member>()
  readonly #context: Context
  readonly #folders: Folders
  readonly #file: StateFile
  readonly #home: UnitHome
  readonly #configuration: Configuration
  readonly #binding = new Barrier()
  readonly #leases = new Set<symbol>()
  #request: UpRequest
  #resolved: ResolvedProject
  #addresses = ''
  #reviewing = false

  constructor(
    context: Context,
    folders: Folders,
    request: UpRequest,
    resolved: ResolvedProject,
    saved: SavedProject | null,
  ) {
    this.#context = context
    this.#folders = folders
    this.#request = request
    this.#resolved = resolved
    this.#file = new StateFile(
      join(folders.state, `${encodeURIComponent(resolved.id)}.json`),
      (): SavedProject => ({
        v: 1,
        request: this.#request,
        resolved: this.#resolved,
        members: Object.fromEntries([...this.members].map(([name, { saved }]) => [name, saved])),
      }),
      (error) => {
        const message = `the state could not be saved: ${String(error)}; free some disk space`
        this.#context.publish({ type: 'notice', level: 'error', project: this.id, service: null, message })
      },
    )
    this.#home = this.#makeHome()
    this.#configuration = new Configuration(context, this.#configured())
    for (const service of resolved.services) {
      this.members.set(
        service.name,
        new Member(context, this.#home, service, saved?.members[service.name] ?? null),
      )
    }
  }

  get id(): string {
    return this.#resolved.id
  }

  get dir(): string {
    return this.#resolved.dir
  }

  get resolved(): ResolvedProject {
    return this.#resolved
  }

  /** Goes when its last lease goes. */
  get leased(): boolean {
    return !this.#request.detached
  }

  status(census = new Census(this.#context)): ProjectStatus {
    const { id, name, dir, config } = this.#resolved
    const services = [...this.members.values()].map((member) => member.status(census))
    return { id, name, dir, config, problems: this.#configuration.problems, services }
  }

  /** The variables' values: where every socket is bound. */
  bound(): BoundSockets {
    return this.#home.bound()
  }

  /** Begins the life of a new project: nothing is bound yet. */
  begin(): void {
    for (const member of this.members.values()) {
      member.runner.begin()
      member.rewatch()
    }
    this.#configuration.watch()
  }

  /** Goes on where another daemon was killed, then looks whether the configuration changed meanwhile. */
  resume(list: HolderList): void {
    for (const member of this.members.values()) {
      member.resume(list)
    }
    this.#addresses = this.#signature()
    this.#configuration.watch()
    this.#configuration.reload('devsock restarted')
  }

  /** Brings services up (none named: all) and waits until each has its sockets or a reason. */
  async up(names: string[], signal: AbortSignal): Promise<void> {
    const wanted = this.#named(names)
    for (const { runner } of wanted) {
      runner.tell({ type: 'up' })
      // Asked for again, a taken port is tried again.
      if (runner.state.front.kind === 'conflict') runner.tell({ type: 'port-free' })
    }
    await Promise.all(
      wanted.map(({ runner }) =>
        runner.until(({ front }) => front.kind !== 'binding' && front.kind !== 'stopping', signal),
      ),
    )
  }

  /** Ends services (none named: all), releases their ports, and waits until nothing is left of them. */
  async stop(names: string[], force: boolean): Promise<void> {
    const wanted = this.#named(names)
    for (const { runner } of wanted) {
      runner.tell({ type: 'stop' })
      if (force) runner.tell({ type: 'kill' })
    }
    const forever = new AbortController().signal
    await Promise.all(
      wanted.map(({ runner }) =>
        runner.until(({ front, leaving }) => front.kind === 'stopped' && leaving.length === 0, forever),
      ),
    )
  }

  /** Services whose sockets could not be had. */
  obstacles(names: string[]): Failure | null {
    const stuck = this.#named(names).filter(
      ({ runner: { state } }) => state.front.kind === 'conflict' && !state.front.external,
    )
    const [first] = stuck
    if (first === undefined) return null
    const owners = stuck.flatMap(({ unit, runner: { state } }) => {
      const taken = state.front.kind === 'conflict' ? state.front.taken : []
      return taken.flatMap(({ socket: name, owners }) => {
        const address = unit.service.sockets.find((socket) => socket.name === name)?.address
        const about = {
          service: unit.id,
          address: address ? printAddress(address) : name,
          port: address ? addressPort(address) : null,
        }
        return (owners.length > 0 ? owners : [null]).map((owner) => ({ ...about, owner }))
      })
    })
    const messages = stuck.map(({ unit, runner: { state } }) => `${unit.name}: ${state.reason.message}`)
    const { reason } = first.runner.state
    const code = reason.code === 'port-taken' ? 'port-taken' : 'bind-failed'
    return { code, message: messages.join('\n'), hint: reason.hint, owners }
  }

  /** Another `up` of a project that is up: its environment, its flags and its configuration count from now on. */
  async renew(request: UpRequest, resolved: ResolvedProject): Promise<void> {
    const detached = request.detached || this.#request.detached
    const environment = JSON.stringify(request.env) !== JSON.stringify(this.#request.env)
    const rewatch = request.watch !== this.#request.watch
    this.#request = { ...request, detached }
    await this.#apply(resolved, environment)
    if (rewatch) for (const member of this.members.values()) member.rewatch()
    this.#file.touch()
  }

  /** Keeps a leased project up until the lease is disposed; the last one takes the project down. */
  lease(onLast: () => void): Disposable {
    const lease = Symbol('lease')
    this.#leases.add(lease)
    return {
      [Symbol.dispose]: () => {
        if (this.#leases.delete(lease) && this.#leases.size === 0 && this.leased) onLast()
      },
    }
  }

  get leases(): number {
    return this.#leases.size
  }

  hear(wanted: Subscription['logs']): void {
    for (const { logging } of this.members.values()) logging.hear(wanted)
  }

  /** Where a member's ports may have become others: siblings that are armed know them by their variables. */
  changed(): void {
    if (this.#reviewing) return
    this.#reviewing = true
    setImmediate()
      .then(() => {
        this.#reviewing = false
        const signature = this.#signature()
        if (signature === this.#addresses) return
        this.#addresses = signature
        for (const { unit, runner } of this.members.values()) {
          if (runner.state.front.kind !== 'held') continue
          runner.tell({ type: 'configure', policy: unit.revise(), restart: false, rebind: false })
        }
      })
      .catch((error: unknown) =>
        this.#context.log.error({ project: this.id, error }, 'siblings were not told'),
      )
  }

  saved(): Promise<void> {
    return this.#file.saved()
  }

  /** Lets go of the project without touching what the holder has of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#configuration[Symbol.dispose]()
    for (const member of this.members.values()) member[Symbol.dispose]()
    await this.#file.saved()
  }

  /** It is down: the next daemon is not to find it. */
  forget(): void {
    this.#file.remove()
  }

  #named(names: string[]): Member[] {
    const all = [...this.members.values()]
    return names.length === 0 ? all : all.filter(({ unit }) => names.includes(unit.name))
  }

  #signature(): string {
    return JSON.stringify([...this.#home.bound()])
  }

  #makeHome(): UnitHome {
    const project = this
    return {
      logs: this.#folders.logs,
      binding: this.#binding,
      adopter: this.#context.adopter,
      get id() {
        return project.#resolved.id
      },
      get dir() {
        return project.#resolved.dir
      },
      get shell() {
        return project.#request.env
      },
      get limits() {
        return project.#request.limits
      },
      get conflicts() {
        return project.#request.conflicts
      },
      get watching() {
        return project.#request.watch
      },
      get services() {
        return project.#resolved.services
      },
      bound: () =>
        new Map(
          [...project.members.values()].flatMap(({ unit }) =>
            unit.service.sockets.map((socket) => [
              `${unit.name}/${socket.name}`,
              { port: unit.port(socket), url: unit.url(socket) },
            ]),
          ),
        ),
      touch: () => project.#file.touch(),
      touchSoon: () => project.#file.touchSoon(),
      saved: () => project.#file.saved(),
    }
  }

  #configured(): Configured {
    const project = this
    return {
      get id() {
        return project.id
      },
      get resolved() {
        return project.#resolved
      },
      get request() {
        return project.#request
      },
      apply: (resolved) => project.#apply(resolved, false),
      tell: () => project.#publish(),
    }
  }

  #publish(): void {
    this.#context.publish({ type: 'project', project: this.id, status: this.status() })
  }

  async #apply(resolved: ResolvedProject, environment: boolean): Promise<void> {
    const { added, removed, changed, same } = difference(this.#resolved, resolved)
    const before = this.#resolved
    this.#resolved = resolved
    if (String(before.files) !== String(resolved.files)) this.#configuration.watch()
    await this.#stopAndRemove(removed)
    for (const { name, restart, rebind, rewatch } of changed) {
      const service = resolved.services.find((each) => each.name === name)
      const member = this.members.get(name)
      if (service === undefined || member === undefined) continue
      member.runner.tell({ type: 'configure', policy: member.unit.revise(service), restart, rebind })
      if (rewatch) member.rewatch()
    }
    for (const service of resolved.services.filter(({ name }) => added.includes(name))) {
      const member = new Member(this.#context, this.#home, service, null)
      this.members.set(service.name, member)
      member.runner.begin()
      member.rewatch()
      member.runner.tell({ type: 'up' })
    }
    if (environment) {
      for (const { unit, runner } of this.members.values()) {
        runner.tell({ type: 'configure', policy: unit.revise(), restart: false, rebind: false })
      }
    }
    if (same) return
    this.#file.touch()
    this.#publish()
  }

  async #stopAndRemove(names: string[]): Promise<void> {
    if (names.length === 0) return
    await this.stop(names, false)
    for (const name of names) {
      this.members.get(name)?.[Symbol.dispose]()
      this.members.delete(name)
    }
  }
}
