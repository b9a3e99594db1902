import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServiceState, ServiceStatus, StatusDocument } from '../../proxy/protocol.ts'
import { Command, type Finished } from './command.ts'
import { scrubbed } from './environment.ts'
import { type EventuallyOptions, eventually } from './eventually.ts'
import { Load, type LoadOptions } from './load.ts'
import { freePort, listeningPorts } from './ports.ts'
import { killAll, processesWith } from './processes.ts'
import { type RequestOptions, type Response, request } from './request.ts'

/** The checkout under test. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(CHECKOUT, 'dist/cli/main.cjs')

/** Path below the project's folder → content; an object is written as JSON. */
export type Files = Record<string, string | object>

export interface RigOptions {
  files?: Files
  /** Added to the environment of everything that the rig starts. */
  env?: Record<string, string>
  /** The folder's name, for paths that are hard to quote. */
  project?: string
  /** The command line to test; the one of this checkout unless said. */
  cli?: string[]
  /** What still lives this long after `devsock down` is a leak, ms; 5 s unless said. */
  leave?: number
}

/**
 * A devsock of one test's own: folders, environment, project, processes. Its disposal is a test too: it
 * throws when a process, a port or a file outlives `devsock down`.
 */
export class Rig implements AsyncDisposable {
  readonly root: string
  readonly stateDir: string
  readonly runtimeDir: string
  /** The project's folder. */
  readonly dir: string
  readonly env: Record<string, string>
  readonly #cli: string[]
  readonly #leaveWithin: number
  readonly #commands: Command[] = []
  readonly #loads: Load[] = []
  readonly #ports = new Set<number>()
  #disposed = false

  private constructor(root: string, options: RigOptions) {
    this.root = root
    this.stateDir = join(root, 'state')
    this.runtimeDir = join(root, 'run')
    this.dir = join(root, options.project ?? 'project')
    this.#cli = options.cli ?? [process.execPath, CLI]
    this.#leaveWithin = options.leave ?? 5000
    this.env = scrubbed({
      HOME: join(root, 'home'),
      DEVSOCK_STATE_DIR: this.stateDir,
      DEVSOCK_RUNTIME_DIR: this.runtimeDir,
      // Any free one: the usual port is the developer's own daemon's.
      DEVSOCK_DASHBOARD_PORT: '0',
      ...options.env,
    })
  }

  static async create(options: RigOptions = {}): Promise<Rig> {
    if (!options.cli && !existsSync(CLI)) throw new Error('dist/ is not there: npm run build')
    const rig = new Rig(await mkdtemp(join(tmpdir(), 'devsock-rig-')), options)
    await rig.#endWithTest()
    await mkdir(join(rig.root, 'home'))
    await rig.write(options.files ?? {})
    return rig
  }

  /**
   * A test that runs out of time never leaves the block of its `await using`, and a helper may throw before it
   * has handed the rig on. Disposal is idempotent; where no test runs (a bench, a hook) nothing is added.
   */
  async #endWithTest(): Promise<void> {
    if (!process.env.VITEST) return
    const { onTestFinished, TestRunner } = await import('vitest')
    if (TestRunner.getCurrentTest()) onTestFinished(() => this[Symbol.asyncDispose]())
  }

  /** Writes files below the project's folder, or below another one of the rig. */
  async write(files: Files, dir = this.dir): Promise<void> {
    await mkdir(dir, { recursive: true })
    for (const [name, content] of Object.entries(files)) {
      const path = join(dir, name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
    }
  }

  /** A second project: its folder. */
  async project(name: string, files: Files): Promise<string> {
    const dir = join(this.root, name)
    await this.write(files, dir)
    return dir
  }

  /** A port for a configuration; when the rig goes, nobody may listen there any more. */
  async port(): Promise<number> {
    const port = await freePort()
    this.#ports.add(port)
    return port
  }

  /** Runs the command line in the project's folder to its end. No terminal, no stdin. */
  async devsock(...args: string[]): Promise<Finished> {
    return this.start(...args).finished()
  }

  /** Starts the command line and leaves it running: an attached `up`, `logs -f`. */
  start(...args: string[]): Command {
    return this.spawn(this.argv(...args))
  }

  /** The command line, for whatever else starts it. */
  argv(...args: string[]): string[] {
    return [...this.#cli, ...args]
  }

  /** Starts any program in the rig's environment. */
  spawn(argv: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Command {
    const command = new Command(argv, options.cwd ?? this.dir, { ...this.env, ...options.env })
    this.#commands.push(command)
    return command
  }

  /** `devsock up -d`, which has to succeed. */
  async up(...args: string[]): Promise<Finished> {
    return this.succeed('up', '-d', ...args)
  }

  /** As `devsock()`; an exit code other than 0 fails the test. */
  async succeed(...args: string[]): Promise<Finished> {
    const finished = await this.devsock(...args)
    if (finished.code === 0) return finished
    const { code, stdout, stderr } = finished
    throw new Error(`${args.join(' ')} exited with ${code}\n${stdout}${stderr}${await this.dump()}`)
  }

  /** Writes the project's configuration, named shop, as editors do: in one step. */
  async configure(services: Record<string, object | string>): Promise<void> {
    const path = join(this.dir, 'devsock.config.json')
    await this.write({ '.devsock.config.json': { name: 'shop', services } })
    await rename(join(this.dir, '.devsock.config.json'), path)
  }

  request(port: number, path?: string, options?: RequestOptions): Promise<Response> {
    return request(port, path, options)
  }

  load(options: LoadOptions): Load {
    const load = new Load(options)
    this.#loads.push(load)
    return load
  }

  /**
   * Saves a file as editors do: `atomic` writes beside it and renames (vim, most IDEs), `truncate` empties
   * it and writes (nano, shells).
   */
  async edit(
    name: string,
    change: string | ((content: string) => string),
    how: 'atomic' | 'truncate' = 'atomic',
  ): Promise<void> {
    const path = resolve(this.dir, name)
    const before = await readFile(path, 'utf8')
    const content = typeof change === 'string' ? change : change(before)
    if (content === before) throw new Error(`the edit of ${name} changes nothing`)
    if (how === 'truncate') return writeFile(path, content)
    await writeFile(`${path}~`, content)
    await rename(`${path}~`, path)
  }

  eventually<T>(attempt: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<NonNullable<T>> {
    return eventually(attempt, { dump: () => this.dump(), ...options })
  }

  /** A request of the control API. */
  api(method: string, path: string, body?: object): Promise<Response> {
    const socketPath = join(this.runtimeDir, 'control.sock')
    return request(0, path, { socketPath, method, body: body && JSON.stringify(body) })
  }

  /** GET /v1/status on the control socket; `daemon` is null where no daemon listens. */
  async status(): Promise<StatusDocument> {
    try {
      const response = await this.api('GET', '/v1/status')
      return response.json() as StatusDocument
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return { v: 1, daemon: null, projects: [] }
      throw error
    }
  }

  /** One service's status; throws while it is not there. */
  async service(name: string): Promise<ServiceStatus> {
    const { projects } = await this.status()
    const services = projects.flatMap((project) => project.services)
    const found = services.find((service) => service.name === name || service.id === name)
    if (!found)
      throw new Error(`no service ${name} among ${services.map(({ id }) => id).join(', ') || 'none'}`)
    return found
  }

  /** Waits until a service is in that state; its status then. */
  until(name: string, state: ServiceState): Promise<ServiceStatus> {
    const reached = async () => {
      const service = await this.service(name)
      return service.state === state ? service : null
    }
    return this.eventually(reached, { what: `${name} ${state}` })
  }

  async daemonPid(): Promise<number> {
    return (await this.#daemon()).pid
  }

  async holderPid(): Promise<number> {
    return (await this.#daemon()).holderPid
  }

  async #daemon() {
    const { daemon } = await this.status()
    if (!daemon) throw new Error(`no daemon answers\n${await this.dump()}`)
    return daemon
  }

  /** Status, processes and the ends of all logs, for the message of a failure. */
  async dump(): Promise<string> {
    const status = await this.status().catch((error: unknown) => String(error))
    const processes = (await this.processes()).map(({ pid, command }) => `${pid} ${command}`)
    const parts = [`--- status\n${JSON.stringify(status, null, 1)}`, `--- processes\n${processes.join('\n')}`]
    for (const path of await filesBelow(this.root)) {
      if (!path.endsWith('.log') || path.startsWith(join(this.root, 'home'))) continue
      const text = await readFile(path, 'utf8').catch((error: unknown) => String(error))
      parts.push(`--- ${path.slice(this.root.length + 1)}\n${text.slice(-4000)}`)
    }
    return [...parts, ...this.#commands.slice(-3).map((command) => command.transcript())].join('\n')
  }

  /** Every living process that was started with this rig's folders in its environment. */
  processes(): ReturnType<typeof processesWith> {
    return processesWith(this.#marks)
  }

  get #marks(): string[] {
    return [`DEVSOCK_STATE_DIR=${this.stateDir}`, `DEVSOCK_RUNTIME_DIR=${this.runtimeDir}`]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    const problems: string[] = []
    /** Every step is tried, and the first that fails must not keep the others from cleaning up. */
    const step = async (what: string, action: () => Promise<void>) => {
      try {
        await action()
      } catch (error) {
        problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    await step('a load', () => Promise.all(this.#loads.map((load) => load.stop())).then(() => undefined))
    await step('a command', () => this.#disposeCommands())
    await step('devsock down', () => this.#leave())
    await step('after devsock down', () => this.#expectNothingLeft())
    const dump = problems.length > 0 ? await this.dump() : ''
    await step('the last processes', () => killAll(this.#marks))
    await step('the temp folder', () => rm(this.root, { recursive: true, maxRetries: 3 }))
    if (problems.length > 0) throw new Error(`the rig is not clean\n${problems.join('\n')}\n${dump}`)
  }

  async #disposeCommands(): Promise<void> {
    for (const command of this.#commands) await command[Symbol.asyncDispose]()
  }

  async #leave(): Promise<void> {
    const { daemon, projects } = await this.status()
    const sockets = projects.flatMap((project) => project.services).flatMap((service) => service.sockets)
    // A port in conflict is somebody else's, who may keep it.
    for (const { port, owner } of sockets) if (port && !owner) this.#ports.add(port)
    if (daemon?.dashboard) this.#ports.add(Number(new URL(daemon.dashboard).port))
    // A holder whose daemon was killed is no reason to skip: `down` finds it.
    if (!daemon && (await this.processes()).length === 0) return
    // A daemon leaves with its last project; one that was only asked something has to be told.
    const last = daemon && projects.length === 0 ? ['daemon', 'stop'] : ['down', '--all']
    const { code, stdout, stderr } = await this.devsock(...last)
    if (code !== 0) throw new Error(`${last.join(' ')} exited with ${code}\n${stdout}${stderr}`)
  }

  async #expectNothingLeft(): Promise<void> {
    const left = async () => {
      const processes = (await this.processes()).map(({ pid, command }) => `process ${pid} ${command}`)
      const listening = await listeningPorts()
      const ports = [...this.#ports].filter((port) => listening.has(port)).map((port) => `port ${port}`)
      const files = (await filesBelow(this.runtimeDir)).map((path) => `file ${path}`)
      return [...processes, ...ports, ...files]
    }
    let last: string[] = []
    const nothing = async () => {
      last = await left()
      return last.length === 0
    }
    await eventually(nothing, {
      deadline: this.#leaveWithin,
      dump: async () => last.join('\n'),
      what: 'a clean machine',
    })
  }
}

async function filesBelow(dir: string): Promise<string[]> {
  if (!existsSync(dir)) return []
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
}
