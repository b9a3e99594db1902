import { randomBytes } from 'node:crypto'
import { addressPort, socketUrl } from '../config/address.ts'
import { type BoundSockets, generationEnvironment } from '../config/environment.ts'
import type { ResolvedProject, ResolvedService, ResolvedSocket } from '../config/types.ts'
import type { GenerationSpec } from '../holder/spec.ts'
import { LogFile } from '../logs/log-file.ts'
import { loggedGenerations } from '../logs/retention.ts'
import { fail, type Handover, ok, type Result, type UpRequest, type Wake } from '../protocol.ts'
import type { WatchSet } from '../watch/watch-set.ts'
import { type Adopter, boundPort, withAdoption } from './adoption.ts'
import { Adoption } from './adoption-report.ts'
import type { Barrier } from './barrier.ts'
import { CpuMeter } from './cpu-meter.ts'
import { generationId, serviceId, socketName } from './names.ts'
import { hindersStandby, withNodeScript } from './node-script.ts'
import type { Policy } from './state.ts'
import { type Ended, type SavedWays, Ways } from './ways.ts'

/** What a unit has from its project. */
export interface UnitHome {
  readonly id: string
  readonly dir: string
  /** Folder of all logs. */
  readonly logs: string
  /** Environment of the latest `up`. */
  readonly shell: Record<string, string>
  readonly limits: UpRequest['limits']
  /** False after `up --no-watch`. */
  readonly watching: boolean
  /** What the latest `up` says about taken ports, in place of the configuration. */
  readonly conflicts: UpRequest['conflicts']
  /** Entered while sockets are being bound: nobody starts before all siblings have their ports. */
  readonly binding: Barrier
  readonly services: ResolvedProject['services']
  bound(): BoundSockets
  touch(): void
  /** For what the next daemon would find out by itself, or could do without. */
  touchSoon(): void
  readonly adopter: Adopter
  /** Resolves when everything touched before is on disk. */
  saved(): Promise<void>
}

/** What a service is, apart from its life: its configuration, its ports, and how a generation is started. */
export class Unit {
  readonly name: string
  readonly id: string
  readonly home: UnitHome
  /** Ports that are bound, by socket. */
  readonly ports: Map<string, number>
  /** Process group of each generation that lives. */
  readonly leaders = new Map<number, number>()
  /** Generations that were booted ahead, and have run nothing of the project. */
  readonly uncalled = new Set<number>()
  /** Of the files that the configuration names. */
  watch: WatchSet | null = null
  readonly cpu = new CpuMeter()
  readonly ways: Ways
  lastConnectionAt: number | null = null
  /** When it will have been idle for as long as its configuration says (ms since the epoch); null: not counted. */
  idleAt: number | null = null
  /** Generations that a connection started, the newest last. */
  wakes: readonly Wake[] = []
  readonly #adoptions = new Map<number, Adoption>()
  #service: ResolvedService
  #revision = 1

  constructor(
    home: UnitHome,
    service: ResolvedService,
    ports: Iterable<readonly [string, number]> = [],
    handovers: Iterable<readonly [number, Handover]> = [],
    ways?: SavedWays,
  ) {
    this.home = home
    this.name = service.name
    this.id = serviceId(home.id, service.name)
    this.ports = new Map(ports)
    this.ways = new Ways(ways)
    this.#service = service
    for (const [number, handover] of handovers) this.#adoptions.set(number, new Adoption(handover))
  }

  get service(): ResolvedService {
    return this.#service
  }

  get project(): string {
    return this.home.id
  }

  /** Another configuration, environment or neighbour: what is armed with the old one has to be armed again. */
  revise(service: ResolvedService = this.#service): Policy {
    this.#service = service
    this.#revision += 1
    return this.policy()
  }

  policy(): Policy {
    const { sockets, start, swap, reload, watch, retry, standby } = this.#service
    return {
      revision: this.#revision,
      sockets: sockets.length > 0,
      start,
      swap,
      reload,
      watch: this.home.watching ? watch : null,
      retry,
      standby: standby && (standby.always ? 'always' : 'lately'),
    }
  }

  /** `action` for each socket, by its name with the holder. */
  eachSocket<T>(action: (name: string, socket: ResolvedSocket) => T): T[] {
    return this.#service.sockets.map((socket) => action(socketName(this.id, socket.name), socket))
  }

  /** The bound port, else the configured one; null for a Unix socket, or `auto` before it is bound. */
  port(socket: ResolvedSocket): number | null {
    return this.ports.get(socket.name) ?? addressPort(socket.address)
  }

  url(socket: ResolvedSocket): string | null {
    return socketUrl(socket, this.port(socket))
  }

  /** What is known of how that generation came by its slots. */
  adoption(number: number): Adoption {
    const known = this.#adoptions.get(number) ?? new Adoption()
    this.#adoptions.set(number, known)
    return known
  }

  /** Nothing is left of that generation. */
  forget(number: number): void {
    this.leaders.delete(number)
    if (this.uncalled.delete(number)) this.log(number).remove()
    this.ways.forget(number, this.adoption(number).handover !== null)
    this.#adoptions.delete(number)
  }

  /** For the next daemon: reports are not repeated. */
  get handovers(): [number: number, Handover][] {
    return [...this.#adoptions].map(([number, { handover }]) => [number, handover])
  }

  log(generation: number): LogFile {
    return new LogFile(this.home.logs, this.project, this.name, generation)
  }

  /** Those that have a log, oldest first. */
  logged(): number[] {
    const { logs } = this.home
    return loggedGenerations(logs, this.project, this.name).filter((number) => !this.uncalled.has(number))
  }

  /** Whether a generation that has not got its port is to be started once more, by the kernel's way. */
  isSecondDue(number: number, ended: Ended): boolean {
    if (this.ports.size === 0 || this.adoption(number).handover !== null) return false
    return this.ways.isSecondDue(number, this.#service.adopt, ended, () => this.log(number).end())
  }

  /** Its environment, but for what the holder adds. */
  environment(number: number): Result<Record<string, string>> {
    const { id, shell, services } = this.home
    return generationEnvironment({
      project: { id, services },
      service: this.#service,
      generation: number,
      ports: this.home.bound(),
      shell,
    })
  }

  /**
   * How the holder starts generation `number` on `lane`. Fails where its environment cannot be made; throws the
   * system's error where its log's folder cannot.
   */
  spec(number: number, lane: number, standby = false): Result<GenerationSpec> {
    const { limits } = this.home
    const environment = this.environment(number)
    if (!environment.ok) return environment
    const log = this.log(number)
    log.prepare()
    const invocation = randomBytes(16).toString('hex')
    const { adopter } = this.home
    const way = this.ways.choose(number, this.#service, environment.value, adopter)
    const port = (socket: ResolvedSocket): number | null => this.port(socket)
    const env = withNodeScript(environment.value, this.#service, adopter, port)
    if (standby) {
      const hindrance = hindersStandby(env)
      if (hindrance !== null) return fail('configuration-invalid', hindrance)
    }
    return ok({
      id: generationId(this.id, number),
      invocation,
      cwd: this.#service.cwd,
      log: log.path,
      nofile: limits.nofile,
      umask: limits.umask,
      standby,
      argv: this.#service.argv,
      env: {
        ...withAdoption(env, this.#service, way, adopter, port),
        DEVSOCK_INVOCATION: invocation,
        ...(standby && { DEVSOCK_AHEAD: JSON.stringify(this.#service.standby?.packages) }),
      },
      slots: this.eachSocket((name, socket) => {
        const binds = way === 'kernel' ? boundPort(socket, this.port(socket)) : null
        return { name, index: lane, fdName: socket.name, ...(binds !== null && { binds }) }
      }),
    })
  }
}
