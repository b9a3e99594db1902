import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { withAutoPorts } from '../config/auto.ts'
import { loadProject } from '../config/load.ts'
import type { HolderEvent } from '../holder/event.ts'
import type { HolderList } from '../holder/held.ts'
import { setAside } from '../logs/retention.ts'
import {
  fail,
  ok,
  type ProjectStatus,
  type Result,
  type Subscription,
  type UpReply,
  type UpRequest,
} from '../protocol.ts'
import { Census } from './census.ts'
import type { Context } from './context.ts'
import type { Member } from './member.ts'
import { DASHBOARD_SOCKET, parseGenerationId } from './names.ts'
import { type Folders, Project, type SavedProject } from './project.ts'

/** A leased project whose `up` never connected, or did not come back after a restart of the daemon. */
const LEASE_GRACE_MS = 10_000

export interface DownReceipt {
  services: number
  ports: number
  ms: number
}

/** All projects of a daemon. What brings one up or down comes one after the other. */
export class Projects {
  readonly #context: Context
  readonly #folders: Folders
  readonly #projects = new Map<string, Project>()
  readonly #onEmpty: () => void
  #heard: Subscription['logs'] = false
  #turn: Promise<unknown> = Promise.resolve()
  /** That wait or are under way. */
  #turns = 0
  #closed = false

  /** `onEmpty` is called when the last project has gone down. */
  constructor(context: Context, folders: Folders, onEmpty: () => void) {
    this.#context = context
    this.#folders = folders
    this.#onEmpty = onEmpty
  }

  get size(): number {
    return this.#projects.size
  }

  get(id: string): Project | null {
    return this.#projects.get(id) ?? null
  }

  member(project: string, service: string): Member | null {
    return this.#projects.get(project)?.members.get(service) ?? null
  }

  members(): Member[] {
    return [...this.#projects.values()].flatMap((project) => [...project.members.values()])
  }

  [Symbol.iterator](): IterableIterator<Project> {
    return this.#projects.values()
  }

  statuses(): ProjectStatus[] {
    const census = new Census(this.#context)
    return [...this.#projects.values()].map((project) => project.status(census))
  }

  /** Every process group that is devsock's own. */
  leaders(): Set<number> {
    return new Set(this.members().flatMap(({ unit }) => [...unit.leaders.values()]))
  }

  /** Which service a TCP port is held for. */
  serviceOf(port: number): string | null {
    for (const project of this.#projects.values()) {
      for (const { unit, runner } of project.members.values()) {
        const { kind } = runner.state.front
        if (kind === 'stopped' || kind === 'conflict' || kind === 'binding') continue
        if ([...unit.ports.values()].includes(port)) return unit.id
      }
    }
    return null
  }

  on(event: HolderEvent): void {
    if (!('id' in event)) return
    const service = parseGenerationId(event.id)?.service
    const slash = service?.indexOf('/') ?? -1
    if (service === undefined || slash < 0) return
    this.member(service.slice(0, slash), service.slice(slash + 1))?.on(event)
  }

  /** Log lines as events, or not. */
  hear(wanted: Subscription['logs']): void {
    this.#heard = wanted
    for (const project of this.#projects.values()) project.hear(wanted)
  }

  /** Nothing is up, and nothing is about to be. */
  get unused(): boolean {
    return this.#projects.size === 0 && this.#turns === 0
  }

  /** The daemon leaves: nothing is brought up any more. */
  close(): void {
    this.#closed = true
  }

  up(request: UpRequest): Promise<Result<UpReply>> {
    return this.#inTurn(() => this.#up(request))
  }

  /** Ends all services of a project and releases its ports. */
  down(id: string, force: boolean): Promise<Result<DownReceipt>> {
    const project = this.#projects.get(id)
    // Not in turn: a second Ctrl-C must not wait for what it is there to hurry.
    if (force && project) for (const { runner } of project.members.values()) runner.tell({ type: 'kill' })
    return this.#inTurn(() => this.#down(id, force))
  }

  /** Takes up the projects of a daemon that ended without taking them down. */
  async resume(list: HolderList): Promise<void> {
    for (const saved of this.#savedProjects()) {
      const { request, resolved } = saved
      const project = new Project(this.#context, this.#folders, request, resolved, saved)
      this.#projects.set(project.id, project)
      project.resume(list)
      this.#awaitLease(project)
    }
    await this.#dropUnknown(list)
  }

  /** Resolves when everything is on disk. */
  async saved(): Promise<void> {
    await Promise.all([...this.#projects.values()].map((project) => project.saved()))
  }

  async #up(request: UpRequest): Promise<Result<UpReply>> {
    const began = this.#context.now()
    const { dir, config, env } = request
    const loaded = await loadProject({ dir, config, env })
    if (!loaded.ok) return loaded
    const resolved = request.autoPorts ? withAutoPorts(loaded.value) : loaded.value
    const unknown = request.services.filter(
      (name) => !resolved.services.some((service) => service.name === name),
    )
    if (unknown.length > 0) {
      const known = resolved.services.map(({ name }) => name).join(', ')
      return fail(
        'unknown-service',
        `no service ${unknown.join(', ')} in ${resolved.config}`,
        `there is: ${known}`,
      )
    }
    const before = this.#projects.get(resolved.id)
    if (before && before.dir !== resolved.dir) {
      const message = `a project named ${resolved.id} is up already, from ${before.dir}`
      return fail('configuration-invalid', message, 'give this one another `name`')
    }
    if (this.#closed) return fail('not-up', 'this devsock is just leaving', 'devsock up')
    const project = before ?? this.#create(request, resolved)
    if (before) await before.renew(request, resolved)
    const stopped = new Set(
      [...project.members.values()].flatMap(({ unit, runner }) =>
        runner.state.front.kind === 'stopped' ? [unit.name] : [],
      ),
    )
    await project.up(request.services, new AbortController().signal)
    const obstacle = project.obstacles(request.services)
    if (obstacle && request.conflicts !== 'wait') {
      // As it was before the call.
      if (before)
        await project.stop(
          [...stopped].filter((name) => isStuck(project, name)),
          true,
        )
      // The caller may want the port freed and ask again: the daemon stays until it is unused.
      else await this.#takeDown(project, true)
      return { ok: false, failure: obstacle }
    }
    await Promise.all([...project.members.values()].map((member) => member.watching()))
    if (!before) this.#awaitLease(project)
    const ms = this.#context.now() - began
    this.#context.publish({ type: 'project', project: project.id, status: project.status() })
    return ok({ v: 1, project: project.status(), started: !before, ms })
  }

  #create(request: UpRequest, resolved: Project['resolved']): Project {
    setAside(this.#folders.logs, resolved.id)
    const project = new Project(this.#context, this.#folders, request, resolved, null)
    this.#projects.set(project.id, project)
    project.begin()
    project.hear(this.#heard)
    return project
  }

  async #down(id: string, force: boolean): Promise<Result<DownReceipt>> {
    const project = this.#projects.get(id)
    if (!project) return fail('unknown-project', `${id} is not up`, 'see what is: devsock status --all')
    const receipt = await this.#takeDown(project, force)
    // An `up` that waits behind this one is served by this daemon.
    if (this.#projects.size === 0 && this.#turns === 1) this.#onEmpty()
    return ok(receipt)
  }

  async #takeDown(project: Project, force: boolean): Promise<DownReceipt> {
    const began = this.#context.now()
    const members = [...project.members.values()]
    const ports = members.reduce((sum, { unit }) => sum + unit.service.sockets.length, 0)
    await project.stop([], force)
    await project[Symbol.asyncDispose]()
    project.forget()
    this.#projects.delete(project.id)
    this.#context.publish({ type: 'project-gone', project: project.id })
    return { services: members.length, ports, ms: this.#context.now() - began }
  }

  #awaitLease(project: Project): void {
    if (!project.leased) return
    setTimeout(() => {
      if (project.leased && project.leases === 0 && this.#projects.get(project.id) === project) {
        this.down(project.id, false).catch((error: unknown) =>
          this.#context.log.error({ error }, 'not brought down'),
        )
      }
    }, LEASE_GRACE_MS).unref()
  }

  #savedProjects(): SavedProject[] {
    const found: SavedProject[] = []
    for (const name of readdirSync(this.#folders.state)) {
      if (!name.endsWith('.json')) continue
      const path = join(this.#folders.state, name)
      try {
        found.push(JSON.parse(readFileSync(path, 'utf8')) as SavedProject)
      } catch (error) {
        // Written whole and renamed, so only a broken disk makes this.
        this.#context.log.error(
          { path, error: String(error) },
          'a saved project cannot be read; it is forgotten',
        )
        rmSync(path, { force: true })
      }
    }
    return found
  }

  /** What the holder has and no project knows: of a project whose state file was lost. */
  async #dropUnknown(list: HolderList): Promise<void> {
    const sockets = new Set([DASHBOARD_SOCKET])
    const services = new Set<string>()
    for (const project of this.#projects.values()) {
      for (const { unit } of project.members.values()) {
        services.add(unit.id)
        for (const name of unit.eachSocket((each) => each)) sockets.add(name)
      }
    }
    const { holder } = this.#context
    for (const key of list.armed) if (!services.has(key)) await holder.disarm(key)
    for (const { name } of list.sockets) if (!sockets.has(name)) await holder.drop(name)
    for (const { id } of list.generations) {
      const service = parseGenerationId(id)?.service
      if (service === undefined || services.has(service)) continue
      await holder.signal(id, 'SIGKILL', 'all')
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#turns += 1
    const result = this.#turn.then(work).finally(() => {
      this.#turns -= 1
    })
    this.#turn = result.catch(() => undefined)
    return result
  }
}

function isStuck(project: Project, name: string): boolean {
  return project.members.get(name)?.runner.state.front.kind === 'conflict'
}
