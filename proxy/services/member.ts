import { TRY_AGAIN } from '../../native/adopt/node/try-again.ts'
import type { ResolvedService } from '../config/types.ts'
import type { HolderEvent } from '../holder/event.ts'
import type { HolderList } from '../holder/held.ts'
import type { ServiceStatus, Wake } from '../protocol.ts'
import { watchService } from '../watch/watch-set.ts'
import { type AdoptionReport, parseReport } from './adoption-report.ts'
import { Census } from './census.ts'
import type { Context } from './context.ts'
import { tripped } from './doing/tripwire.ts'
import { lanesInUse } from './lanes.ts'
import { Logging } from './logging.ts'
import { parseGenerationId } from './names.ts'
import { processStartedAt } from './processes.ts'
import { Runner } from './runner.ts'
import { privilegeHint, startFailure } from './start-failure.ts'
import { type Exit, type Service, startingGeneration } from './state.ts'
import { Unit, type UnitHome } from './unit.ts'
import { serviceStatus } from './view.ts'
import type { SavedWays } from './ways.ts'

/** What of a service is kept for the next daemon. */
export interface SavedMember {
  state: Service
  ports: [socket: string, port: number][]
  handovers: Unit['handovers']
  wakes?: readonly Wake[]
  ways: SavedWays
}

/** A service in its project, with all that is attached to it: its life, its logs, what it watches. */
export class Member implements Disposable {
  readonly unit: Unit
  readonly runner: Runner
  readonly logging: Logging
  readonly #context: Context
  /** Sockets whose program asked for more than it got, by position. */
  readonly #narrowed = new Set<number>()
  readonly #ended = new AbortController()

  constructor(context: Context, home: UnitHome, service: ResolvedService, saved: SavedMember | null) {
    this.#context = context
    this.unit = new Unit(home, service, saved?.ports, saved?.handovers, saved?.ways)
    this.unit.wakes = saved?.wakes ?? []
    this.runner = new Runner(context, this.unit, this.unit.policy(), saved?.state ?? null)
    this.logging = new Logging(context, this.unit)
    const starting = saved ? startingGeneration(saved.state.front) : null
    if (starting?.standby) this.unit.uncalled.add(starting.number)
    if (saved?.state.standby) this.unit.uncalled.add(saved.state.standby.number)
  }

  get saved(): SavedMember {
    const { unit, runner } = this
    const { ports, handovers, wakes, ways } = unit
    return { state: runner.state, ports: [...ports], handovers, wakes, ways: ways.saved }
  }

  status(census = new Census(this.#context)): ServiceStatus {
    const { unit, runner } = this
    return serviceStatus(unit.id, unit.name, runner.state, census.measure(unit, runner.state))
  }

  /** An event of the holder about this service. */
  on(event: HolderEvent): void {
    if (event.type === 'spawned') {
      const number = parseGenerationId(event.id)?.number
      if (number === undefined) return
      this.#spawned(number, event.pid, event.startTime)
      this.#context.woken(this, number)
    } else if (event.type === 'spawn-failed') {
      const number = parseGenerationId(event.id)?.number ?? 0
      this.runner.tell({ type: 'spawn-failed', number, ...startFailure(event.error, this.unit.service) })
    } else if (event.type === 'notify') {
      const number = parseGenerationId(event.id)?.number
      const report = parseReport(event.payload)
      if (number !== undefined && report !== null) this.#reported(number, report)
    } else if (event.type === 'tripped') {
      const number = parseGenerationId(event.id)?.number
      if (number !== undefined) this.#tripped(number, event.lane)
    } else if (event.type === 'exited' || event.type === 'gone') {
      const number = parseGenerationId(event.id)?.number
      if (number === undefined) return
      if (event.type === 'gone') this.runner.tell({ type: 'gone', number })
      else this.#exited(number, event)
    }
  }

  /** Takes up what the holder has of this service, after another daemon had it. */
  resume(list: HolderList): void {
    const { runner, unit } = this
    const here = list.generations.flatMap((generation) => {
      const id = parseGenerationId(generation.id)
      return id?.service === unit.id ? [{ ...generation, number: id.number }] : []
    })
    for (const { number, pid, startTime } of here) this.#spawned(number, pid, startTime)
    for (const { number, phase, code, signal, left } of here) {
      if (phase === 'running') continue
      this.#exited(number, { code, signal, left })
      if (phase === 'gone') runner.tell({ type: 'gone', number })
    }
    const known = new Set(here.map(({ number }) => number))
    for (const number of liveNumbers(runner.state)) {
      if (!known.has(number)) runner.tell({ type: 'gone', number })
    }
    const sockets = new Map(list.sockets.map((socket) => [socket.name, socket]))
    const { front } = runner.state
    const away = unit.eachSocket((name) => sockets.get(name)).flatMap((socket) => socket ?? [])
    const steeredAway = away.filter(({ steered }) => steered !== runner.state.steered)
    if (front.kind !== 'ready') for (const { name, steered } of steeredAway) this.#steerBack(name, steered)
    runner.begin()
    this.logging.sync()
    // What was saved while there was no daemon is newer than the process that should have been replaced for it.
    const current = here.find(({ number }) => number === newestNumber(runner.state))
    const failedAt = runner.state.front.kind === 'failed' ? runner.state.ends.at(-1) : undefined
    this.rewatch(current ? processStartedAt(current.startTime).latest : failedAt)
    // That was for a save, and what served has been told to drain.
    const [save] = steeredAway
    if (front.kind === 'ready' && save) this.#tripped(front.generation.number, save.steered)
  }

  #tripped(number: number, lane: number): void {
    void tripped(this.#context, this.runner, number, lane, this.#ended.signal)
  }

  /** The last daemon steered, or saved that it would, and died before the other. */
  #steerBack(name: string, from: number): void {
    const { holder, log } = this.#context
    const { state } = this.runner
    const steered = holder.steer(name, state.steered)
    const done = lanesInUse(state).has(from) ? steered : steered.then(() => holder.relay(name, from))
    done.catch((error: unknown) => {
      log.warn({ service: this.unit.id, error: String(error) }, 'steering was not restored')
    })
  }

  /** Watches what the configuration names, from now on, or what was saved since then too (ms since the epoch). */
  rewatch(since?: number): void {
    this.unit.watch?.close()
    this.unit.watch = null
    // Whoever would have told the end of a save is gone.
    const { front } = this.runner.state
    if (front.kind === 'clearing' && front.plan.do === 'await-save') {
      this.runner.tell({ type: 'change', detail: front.plan.cause.detail })
    }
    const { watch } = this.unit.policy()
    if (watch === null) return
    this.unit.watch = watchService({
      root: this.unit.service.cwd,
      globs: watch,
      since,
      watch: this.#context.watchFile,
      onSaving: (path) => this.runner.tell({ type: 'saving', detail: path }),
      onChange: ({ path, count }) => {
        const detail = count > 1 ? `${path} and ${count - 1} more` : path
        this.runner.tell({ type: 'change', detail })
      },
      onProblem: (message) => {
        const { project, name: service } = this.unit
        this.#context.publish({ type: 'notice', level: 'warn', project, service, message })
      },
    })
  }

  /** Takes in changes saved before the call. */
  async sweep(): Promise<void> {
    await this.unit.watch?.watching
    await this.unit.watch?.sweep()
  }

  /** Resolves when a save from now on is noticed. */
  async watching(): Promise<void> {
    await this.unit.watch?.watching
  }

  [Symbol.dispose](): void {
    this.#ended.abort()
    this.unit.watch?.close()
    this.runner[Symbol.dispose]()
    this.logging[Symbol.dispose]()
  }

  #reported(number: number, report: AdoptionReport): void {
    const { unit } = this
    const adoption = unit.adoption(number)
    const before = adoption.handover
    adoption.on(report, this.#context.now())
    if (report.narrowed) this.#tellNarrowed(report)
    if (adoption.handover === before) return
    unit.home.touchSoon()
    this.#context.changed(unit)
  }

  /** Once: what it means for the user does not change with the next generation. */
  #tellNarrowed({ position }: AdoptionReport): void {
    const { project, name: service, service: resolved } = this.unit
    const socket = resolved.sockets[position]
    const port = socket && this.unit.port(socket)
    if (this.#narrowed.has(position) || port == null) return
    this.#narrowed.add(position)
    const message = `it asked for all interfaces and got localhost only; to be reached from other machines: listen: "*:${port}"`
    this.#context.publish({ type: 'notice', level: 'warn', project, service, message })
  }

  #exited(number: number, { code, signal, left }: Pick<Exit, 'code' | 'signal' | 'left'>): void {
    const { runner, unit } = this
    const starting = startingGeneration(runner.state.front)
    const isStarting = starting?.number === number
    // It ended while it waited, or had loaded what has changed since: its code has not failed.
    const hadToEnd = unit.uncalled.has(number) || (starting?.standby && code === TRY_AGAIN)
    if (isStarting && hadToEnd) {
      unit.uncalled.add(number)
      return runner.tell({ type: 'not-waiting', number })
    }
    const again = isStarting && unit.isSecondDue(number, { code, left })
    const hint =
      isStarting && unit.ways.of(number) === 'kernel' ? privilegeHint(unit.log(number).end()) : null
    runner.tell({ type: 'exited', number, code, signal, left, again, hint })
  }

  #spawned(number: number, pid: number, startTime: number): void {
    this.unit.lastConnectionAt = this.#context.now()
    this.runner.tell({ type: 'spawned', number, pid, startedAt: processStartedAt(startTime).earliest })
  }
}

/** Of the generation that has, or should have, the newest code; null where none runs. */
function newestNumber({ front }: Service): number | null {
  if (front.kind === 'overlap') return front.next.number
  return front.kind === 'starting' || front.kind === 'ready' ? front.generation.number : null
}

/** Generations that the machine believes to live, other than one that it has only asked for. */
function liveNumbers({ front, leaving, standby }: Service): number[] {
  const asked = front.kind === 'starting' && front.generation.pid === null ? front.generation.number : null
  const fronts =
    front.kind === 'overlap'
      ? [front.current.number, ...(front.next.pid === null ? [] : [front.next.number])]
      : (front.kind === 'starting' || front.kind === 'ready') && asked === null
        ? [front.generation.number]
        : []
  const waiting = standby && standby.pid !== null ? [standby.number] : []
  return [...fronts, ...waiting, ...leaving.map(({ number }) => number)]
}
