/**
 * The life of a service: `transition(state, event) → { state, effects }`, pure. What has to be going on in a
 * state is in activities.ts. The one thing to keep in mind: events come late. A generation may exit, become
 * ready or wake up after the decision that made it irrelevant; each such event is either meant for what is in
 * front or for one that is leaving, and changes nothing else.
 *
 * Longer than 400 lines because it is one function of two variables; split, it could not be read at once.
 */
import type { SwapReceipt } from '../protocol.ts'
import { freeLane, isCallable } from './lanes.ts'
import { causeText, exitHint, exitText, reason, waitsFor } from './reasons.ts'
import {
  type Cause,
  type Effect,
  type Event,
  type Exit,
  type Failed,
  type Front,
  type Generation,
  type Leaving,
  MAX_LEAVING,
  type Plan,
  type Policy,
  type Service,
  type Standby,
  type StartFailure,
  startingGeneration,
} from './state.ts'

/** Milliseconds until a start is tried again that a full disk or the like has kept from happening. */
const SHORTAGE_MS = 1_000

/** Said of a generation that is started once more. */
const UNBOUND = 'did not come by its port: once more, with its bind() answered by the holder'

export interface Transition {
  state: Service
  effects: Effect[]
}

export function initial(policy: Policy): Service {
  return {
    policy,
    desired: 'down',
    front: { kind: 'stopped' },
    leaving: [],
    number: 0,
    steered: 0,
    ends: [],
    lastChange: null,
    reason: reason('held', 'not up yet'),
    counters: { activations: 0, swaps: 0, crashes: 0 },
    readyAt: null,
    lastExit: null,
    lastSwap: null,
  }
}

/** `state` is never changed; the result shares what did not change. */
export function transition(state: Service, event: Event): Transition {
  const life = new Life(state, event.at)
  life.on(event)
  life.settle()
  return { state: life.service, effects: life.effects }
}

/** One transition in the making: a shallow copy to write to, and the effects so far. */
class Life {
  readonly service: Service
  readonly effects: Effect[] = []
  private readonly at: number

  constructor(state: Service, at: number) {
    this.service = { ...state, counters: { ...state.counters } }
    this.at = at
  }

  on(event: Event): void {
    switch (event.type) {
      case 'up':
        return this.up()
      case 'start':
        return this.start({ code: 'requested', detail: 'start', at: this.at })
      case 'restart':
        return this.restart({ code: 'requested', detail: 'restart', at: this.at })
      case 'stop':
        return this.stop()
      case 'sleep':
        if (this.service.desired === 'down') return
        this.service.desired = 'held'
        return this.rest({ code: 'requested', detail: 'sleep', at: this.at })
      case 'idle':
        if (this.service.front.kind !== 'ready' || !this.service.policy.sockets) return
        return this.rest({ code: 'idle', detail: '', at: this.at })
      case 'kill':
        this.service.leaving = this.service.leaving.map((each) => ({ ...each, phase: 'killing' }))
        return
      case 'saving':
        return this.saving({ code: 'changed', detail: event.detail, at: this.at })
      case 'change':
        return this.change({ code: 'changed', detail: event.detail, at: this.at })
      case 'configure':
        return this.configure(event.policy, event.restart, event.rebind)
      case 'bound':
        return this.bound()
      case 'bind-failed':
        if (this.service.front.kind !== 'binding') return
        this.service.reason = event.reason
        this.front({
          kind: 'conflict',
          start: this.service.front.start,
          taken: event.taken,
          external: event.external,
        })
        return
      case 'port-free':
        if (this.service.front.kind !== 'conflict') return
        return this.front({ kind: 'binding', start: this.service.front.start })
      case 'released':
        return this.released()
      case 'spawned':
        return this.spawned(event.number, event.pid, event.startedAt)
      case 'spawn-failed':
        return this.spawnFailed(event.number, event)
      case 'ready':
        return this.ready(event.number, event.queued)
      case 'not-ready':
        return this.notReady(event.number, event.message, event.hint)
      case 'reloaded':
        return this.reloaded(event.number)
      case 'reload-failed':
        return this.reloadFailed(event.number, event.message)
      case 'exited':
        return this.exited(event)
      case 'unbound':
        return this.startAgain(event.number, UNBOUND)
      case 'calm':
        return this.calm()
      case 'unneeded':
        return this.endStandby()
      case 'not-waiting':
        return this.startAgain(event.number, 'was not there to be called: once more')
      case 'gone':
        return this.gone(event.number)
      case 'serves':
        this.service.leaving = this.service.leaving.map((each) =>
          each.number === event.number ? { ...each, served: true } : each,
        )
        return
      case 'drained':
        return this.drained(event.number, event.moved, event.cut)
      case 'grace-over':
        return this.phase(event.number, 'killing')
      case 'retry-due':
        return this.retry()
    }
  }

  // What a person or the configuration asks for.

  private up(): void {
    const { front } = this.service
    this.service.desired = 'up'
    if (front.kind === 'stopped') this.front({ kind: 'binding', start: null })
    else if (front.kind === 'stopping' && front.next === 'stopped') {
      this.front({ kind: 'stopping', next: { start: null } })
    } else if (front.kind === 'held' && this.eager()) this.begin(front.lane, this.eagerCause(), null)
  }

  private start(cause: Cause): void {
    const { front } = this.service
    this.service.desired = 'up'
    this.service.ends = []
    switch (front.kind) {
      case 'stopped':
      case 'conflict':
        return this.front({ kind: 'binding', start: cause })
      case 'binding':
        return this.front({ kind: 'binding', start: cause })
      case 'stopping':
        return this.front({ kind: 'stopping', next: { start: cause } })
      case 'held':
      case 'failed':
        return this.begin(front.lane, cause, null)
      case 'clearing':
        if (front.plan.do !== 'spawn') this.front({ ...front, plan: { do: 'spawn', cause, replaces: null } })
        return
      case 'starting':
      case 'ready':
      case 'overlap':
        return
    }
  }

  private restart(cause: Cause): void {
    const { kind } = this.service.front
    if (kind === 'starting' || kind === 'ready' || kind === 'overlap') {
      this.service.ends = []
      this.swap(cause)
    } else this.start(cause)
  }

  private stop(): void {
    this.service.desired = 'down'
    this.leaveAll('terminating')
    this.service.reason = reason('requested', 'stopped by request')
    if (this.service.front.kind !== 'stopped') this.front({ kind: 'stopping', next: 'stopped' })
  }

  /** Ends the process, keeps the port: a fresh lane is armed at once, so nobody is refused meanwhile. */
  private rest(cause: Cause): void {
    const { front } = this.service
    const text = cause.code === 'idle' ? 'asleep: nothing was connected' : 'asleep by request'
    switch (front.kind) {
      case 'starting':
      case 'ready':
      case 'overlap': {
        this.service.reason = reason(cause.code, text)
        this.dropStandby()
        const lane = this.successorLane()
        this.leaveFront()
        return this.clear(lane, this.exclusive(), { do: 'rest' })
      }
      case 'failed':
        this.service.reason = reason(cause.code, text)
        return this.front({ kind: 'held', lane: front.lane })
      case 'clearing':
        this.service.reason = reason(cause.code, text)
        return this.front({ ...front, plan: { do: 'rest' } })
      case 'binding':
      case 'conflict':
        return this.front({ ...front, start: null })
      case 'stopping':
      case 'stopped':
      case 'held':
        return
    }
  }

  /** From the first sign of a save on, old code gets no connection more. */
  private saving(cause: Cause): void {
    const { front, policy } = this.service
    if (front.kind !== 'ready' || policy.swap === 'overlap' || policy.reload) return
    const lane = this.successorLane()
    this.leaveFront()
    this.clear(lane, this.exclusive(), { do: 'await-save', cause, replaces: front.generation.number })
  }

  private change(cause: Cause): void {
    const { front } = this.service
    if (this.service.desired === 'down') return
    this.service.lastChange = cause
    switch (front.kind) {
      case 'ready':
        // What it was started with is another: no signal tells it that.
        if (!this.service.policy.reload || cause.code !== 'changed') return this.swap(cause)
        return this.front({ ...front, reloading: cause })
      case 'starting':
      case 'overlap':
        return this.swap(cause)
      case 'failed':
        this.service.ends = []
        return this.begin(front.lane, cause, null)
      case 'clearing':
        // What will be spawned reads the new content; what would have failed gets its next try.
        if (front.plan.do === 'fail') this.front({ ...front, plan: { do: 'spawn', cause, replaces: null } })
        if (front.plan.do === 'spawn') this.front({ ...front, plan: { ...front.plan, cause } })
        if (front.plan.do === 'await-save') {
          const { at } = front.plan.cause
          this.front({ ...front, plan: { ...front.plan, do: 'spawn', cause: { ...cause, at } } })
        }
        return
      case 'stopped':
      case 'binding':
      case 'conflict':
      case 'held':
      case 'stopping':
        return
    }
  }

  private configure(policy: Policy, restart: boolean, rebind: boolean): void {
    this.service.policy = policy
    const { front } = this.service
    const cause: Cause = { code: 'configuration', detail: '', at: this.at }
    if (rebind && front.kind !== 'stopped') {
      const again = { start: this.running() ? cause : this.wanted() }
      this.leaveAll('terminating')
      const stays = front.kind === 'stopping' && front.next === 'stopped'
      if (!stays) this.front({ kind: 'stopping', next: again })
      return
    }
    if (restart) this.change(cause)
    if (this.service.front.kind === 'held' && this.service.desired === 'up' && this.eager()) {
      this.begin(this.service.front.lane, this.eagerCause(), null)
    }
  }

  // What happened to the sockets.

  private bound(): void {
    const { front } = this.service
    if (front.kind !== 'binding') return
    this.service.steered = 0
    const start = front.start ?? (this.eager() ? this.eagerCause() : null)
    const waits = this.service.policy.start === 'manual' ? 'waits for a start' : 'nothing has asked yet'
    this.service.reason = reason('held', waits)
    this.clear(0, true, start === null ? { do: 'rest' } : { do: 'spawn', cause: start, replaces: null })
  }

  private released(): void {
    const { front } = this.service
    if (front.kind !== 'stopping') return
    this.front(front.next === 'stopped' ? { kind: 'stopped' } : { kind: 'binding', start: front.next.start })
  }

  // What happened to generations.

  private spawned(number: number, pid: number, startedAt: number): void {
    const { front } = this.service
    if (front.kind === 'starting' && front.generation.number === number) {
      this.front({ ...front, generation: { ...front.generation, pid } })
      // What was booted ahead reads the content when it is called.
      return front.generation.standby ? undefined : this.checkNew(startedAt)
    }
    if (front.kind === 'overlap' && front.next.number === number) {
      return this.front({ ...front, next: { ...front.next, pid } })
    }
    const { standby } = this.service
    if (standby?.number === number) {
      this.service.standby = { ...standby, pid }
      return
    }
    // Known already: a new daemon tells what it found.
    if (this.known(number)) return
    // An armed spec was woken by a connection.
    const lane = front.kind === 'held' ? front.lane : null
    this.service.number = Math.max(this.service.number, number)
    if (lane === null) return this.leave({ number, lane: this.service.steered }, 'killing', false)
    this.service.counters.activations += 1
    if (this.service.desired === 'held') this.service.desired = 'up'
    const cause: Cause = { code: 'first-connection', detail: '', at: this.at }
    this.starting({ number, lane, cause, replaces: null, pid })
    this.checkNew(startedAt)
  }

  /** An armed spec may fire just before a save whose news comes first: it may have read the old content. */
  private checkNew(startedAt: number): void {
    const { lastChange } = this.service
    if (lastChange !== null && lastChange.at > startedAt) this.swap(lastChange)
  }

  private spawnFailed(number: number, { message, hint, shortage }: StartFailure): void {
    const { front } = this.service
    if (this.service.leaving.some((each) => each.number === number)) return this.gone(number)
    if (this.service.standby?.number === number) return this.standbyLost(message)
    const starting = startingGeneration(front)
    if (starting?.standby && starting.number === number) {
      this.startAgain(number, `was not booted ahead: ${message}`)
      return this.gone(number)
    }
    const why = reason('spawn-failed', message, hint)
    if (front.kind === 'overlap' && front.next.number === number) {
      this.keepCurrent(front.current, `generation ${number} could not be started: ${message}`, hint)
      return
    }
    const isNext = front.kind === 'starting' && front.generation.number === number
    const lane = isNext ? front.generation.lane : front.kind === 'held' ? front.lane : null
    if (lane === null) return
    this.service.number = Math.max(this.service.number, number)
    this.count()
    this.service.reason = why
    // No save would help against a shortage, and nobody has to ask again once it is over.
    const failed = shortage ? { answering: true, retryAt: this.at + SHORTAGE_MS } : this.failedStart()
    this.effects.push({ do: 'notice', level: 'error', message })
    this.front({ kind: 'failed', lane, failed })
  }

  private ready(number: number, queued: number): void {
    const { front } = this.service
    if (front.kind === 'starting' && front.generation.number === number) {
      return this.serve(front.generation, 'hold', queued)
    }
    if (front.kind === 'overlap' && front.next.number === number) {
      this.steer(front.next.lane)
      this.leave(front.current, 'draining', true)
      this.serve(front.next, 'overlap', queued)
    }
  }

  private notReady(number: number, message: string, hint: string | null): void {
    const { front } = this.service
    if (front.kind === 'starting' && front.generation.number === number) {
      this.count()
      this.service.reason = reason('not-ready', message, hint)
      this.leave(front.generation, 'killing', false)
      return this.clear(front.generation.lane, false, { do: 'fail', failed: this.failedStart() })
    }
    if (front.kind === 'overlap' && front.next.number === number) {
      this.leave(front.next, 'killing', false)
      this.keepCurrent(front.current, `generation ${number} was not ready: ${message}`, hint)
    }
  }

  private reloaded(number: number): void {
    const { front, counters } = this.service
    if (front.kind !== 'ready' || front.generation.number !== number || !front.reloading) return
    const { code, at } = front.reloading
    const cause = causeText(front.reloading)
    const ms = this.at - at
    const receipt: SwapReceipt = {
      from: number,
      to: number,
      cause,
      policy: 'reload',
      ms,
      queued: 0,
      moved: 0,
      cut: 0,
    }
    counters.swaps += 1
    this.service.reason = reason(code, `${cause}, ${ms} ms`)
    this.service.lastSwap = receipt
    this.effects.push({ do: 'receipt', receipt })
    this.front({ kind: 'ready', generation: front.generation })
  }

  private reloadFailed(number: number, what: string): void {
    const { front } = this.service
    if (front.kind !== 'ready' || front.generation.number !== number || !front.reloading) return
    this.noticeSwap(what)
    this.swap(front.reloading)
  }

  private noticeSwap(what: string): void {
    const message = `${this.service.policy.reload}: ${what}; it is swapped instead`
    this.effects.push({ do: 'notice', level: 'warn', message })
  }

  private exited(event: Extract<Event, { type: 'exited' }>): void {
    const { number, code, signal } = event
    const { front } = this.service
    const exit = { code, signal, at: new Date(this.at).toISOString() }
    const leaving = this.service.leaving.find((each) => each.number === number)
    if (this.service.standby?.number === number) return this.standbyLost(exitText(code, signal))
    if (leaving !== undefined) {
      this.service.lastExit = exit
      // A leader that ended by itself leaves nobody who would end the rest.
      if (leaving.phase === 'draining') this.phase(number, 'terminating')
      return
    }
    if (event.again) {
      this.service.lastExit = exit
      return this.startAgain(number, UNBOUND)
    }
    const text = exitText(code, signal)
    if (front.kind === 'overlap' && front.next.number === number) {
      this.service.lastExit = exit
      this.leave(front.next, 'killing', false)
      return this.keepCurrent(front.current, `generation ${number} failed: ${text}`, null)
    }
    if (front.kind === 'overlap' && front.current.number === number) {
      // The next one is all there is: connections wait for it.
      this.ended(exit, text)
      this.leave(front.current, 'killing', true)
      this.steer(front.next.lane)
      return this.starting(front.next)
    }
    if (front.kind !== 'starting' && front.kind !== 'ready') return
    const { generation } = front
    if (generation.number !== number) return
    if (front.kind === 'ready' && front.reloading) {
      this.service.lastExit = exit
      this.leave(generation, 'killing', true)
      this.noticeSwap(text)
      return this.clear(generation.lane, false, { do: 'spawn', cause: front.reloading, replaces: number })
    }
    const wasReady = front.kind === 'ready'
    this.leave(generation, 'killing', wasReady)
    this.ended(exit, text)
    const plan = wasReady ? this.afterCrash(text) : this.afterFailedStart(text, event)
    this.clear(generation.lane, false, plan)
  }

  /** Once more for the same cause: no failure yet, so nobody is told of one. */
  private startAgain(number: number, why: string): void {
    const { front } = this.service
    const generation = startingGeneration(front)
    if (generation?.number !== number) return
    this.effects.push({ do: 'notice', level: 'info', message: `generation ${number} ${why}` })
    this.leave(generation, 'killing', false)
    const { lane, cause, replaces } = generation
    if (front.kind === 'overlap') this.beside(front.current, cause)
    else this.clear(lane, false, { do: 'spawn', cause, replaces })
  }

  private gone(number: number): void {
    const { front } = this.service
    const leaving = this.service.leaving.find((each) => each.number === number)
    if (leaving === undefined) {
      if (!this.known(number)) return
      // Its exit was missed (the holder that knew it died with it).
      this.exited({
        type: 'exited',
        at: this.at,
        number,
        code: null,
        signal: null,
        left: 0,
        again: false,
        hint: null,
      })
      return this.gone(number)
    }
    this.service.leaving = this.service.leaving.filter((each) => each !== leaving)
    this.effects.push({ do: 'forget', number })
    if (leaving.lane !== this.service.steered && front.kind !== 'stopping' && front.kind !== 'stopped') {
      this.effects.push({ do: 'relay', lane: leaving.lane })
    }
  }

  private drained(number: number, moved: number, cut: number): void {
    const { lastSwap, drained } = this.service
    this.phase(number, 'terminating')
    if (lastSwap?.from !== number) {
      // An older one that took longer is not what the next receipt is about.
      if (number >= (drained?.number ?? 0)) this.service.drained = { number, moved, cut }
    } else if (moved + cut > 0) {
      this.service.lastSwap = { ...lastSwap, moved: lastSwap.moved + moved, cut: lastSwap.cut + cut }
      this.effects.push({ do: 'receipt', receipt: this.service.lastSwap })
    }
  }

  private retry(): void {
    const { front } = this.service
    if (front.kind !== 'failed') return
    if (this.onDemand()) this.front({ kind: 'held', lane: front.lane })
    else this.begin(front.lane, { code: 'retry', detail: '', at: this.at }, null)
  }

  // How it is done.

  /** Replaces what runs. Under `hold` new connections go to the next generation from this moment on. */
  private swap(cause: Cause): void {
    const { front, policy } = this.service
    if (front.kind === 'overlap') {
      this.leave(front.next, 'killing', false)
      return this.beside(front.current, cause)
    }
    if (front.kind !== 'starting' && front.kind !== 'ready') return
    const { generation } = front
    if (policy.swap === 'overlap' && front.kind === 'ready') return this.beside(generation, cause)
    const replaces = front.kind === 'ready' ? generation.number : generation.replaces
    const lane = this.successorLane()
    this.leaveFront()
    this.clear(lane, this.exclusive(), { do: 'spawn', cause, replaces })
  }

  /** `overlap`: the next generation starts on a lane that gets no traffic, beside the current one. */
  private beside(current: Generation, cause: Cause): void {
    const standby = this.callable()
    if (standby)
      return this.front({ kind: 'overlap', current, next: this.called(standby, cause, current.number) })
    const lane = freeLane(this.service, current.lane)
    if (lane === null) {
      // Every lane has somebody who is being ended: go on as under `hold`, on the one that frees first.
      this.leave(current, 'draining', true)
      return this.clear(this.oldestLane(), false, { do: 'spawn', cause, replaces: current.number })
    }
    this.effects.push({ do: 'fresh', lane })
    this.service.number += 1
    const next = { number: this.service.number, lane, cause, replaces: current.number, pid: null }
    this.front({ kind: 'overlap', current, next })
  }

  private keepCurrent(current: Generation, message: string, hint: string | null): void {
    this.service.reason = reason('exited', `${message}; generation ${current.number} goes on serving`, hint)
    this.effects.push({ do: 'notice', level: 'error', message: this.service.reason.message })
    this.front({ kind: 'ready', generation: current })
  }

  private begin(lane: number, cause: Cause, replaces: number | null): void {
    const { standby } = this.service
    if (standby?.lane === lane) return this.starting(this.called(standby, cause, replaces))
    this.service.number += 1
    this.starting({ number: this.service.number, lane, cause, replaces, pid: null })
  }

  private starting(generation: Generation): void {
    this.service.reason = reason(generation.cause.code, causeText(generation.cause))
    this.front({ kind: 'starting', generation })
  }

  private serve(generation: Generation, policy: SwapReceipt['policy'], queued: number): void {
    const { cause, replaces, number } = generation
    const ms = this.at - cause.at
    this.service.readyAt = this.at
    this.service.reason = reason(cause.code, `${causeText(cause)}, ${ms} ms`)
    if (replaces !== null) {
      const { drained } = this.service
      const { moved, cut } = drained?.number === replaces ? drained : { moved: 0, cut: 0 }
      const receipt: SwapReceipt = {
        from: replaces,
        to: number,
        cause: causeText(cause),
        policy: policy === 'hold' && this.exclusive() ? 'exclusive' : policy,
        ms,
        queued,
        moved,
        cut,
      }
      this.service.counters.swaps += 1
      this.service.lastSwap = receipt
      this.effects.push({ do: 'receipt', receipt })
    }
    this.front({ kind: 'ready', generation })
  }

  private ended(exit: NonNullable<Service['lastExit']>, text: string): void {
    this.service.lastExit = exit
    this.count()
    if (exit.code !== 0) this.service.counters.crashes += 1
    this.service.reason = reason('exited', text)
  }

  /** One more end for the retry limit. */
  private count(): void {
    const { retry } = this.service.policy
    this.service.ends = [...this.service.ends, this.at].filter((at) => at > this.at - retry.withinMs)
  }

  /** A server that had been ready: at once the first time, then after the delay, until the limit. */
  private afterCrash(text: string): Plan {
    const { retry } = this.service.policy
    const count = this.service.ends.length
    if (count > retry.limit) {
      const message = `${text}; it ended ${count} times within ${retry.withinMs / 1000} s`
      this.service.reason = reason('retry-limit', `${message}; ${waitsFor(this.service.policy, null)}`)
      this.effects.push({ do: 'notice', level: 'error', message: this.service.reason.message })
      return { do: 'fail', failed: { answering: true, retryAt: null } }
    }
    const again = count === 1 ? 0 : retry.delayMs
    this.effects.push({
      do: 'notice',
      level: 'warn',
      message: `${text}; ${waitsFor(this.service.policy, again)}`,
    })
    if (again > 0) {
      this.service.reason = reason('exited', `${text}; ${waitsFor(this.service.policy, again)}`)
      return { do: 'fail', failed: { answering: false, retryAt: this.at + again } }
    }
    if (this.onDemand()) return { do: 'rest' }
    return { do: 'spawn', cause: { code: 'retry', detail: '', at: this.at }, replaces: null }
  }

  private afterFailedStart(text: string, { code, left, hint: said }: Exit): Plan {
    const failed = this.failedStart()
    const forked = code === 0 && left > 0
    const what = forked
      ? `ended with exit 0 but left ${left} ${left === 1 ? 'process' : 'processes'} running`
      : `${text} before it was ready`
    const waits = waitsFor(this.service.policy, failed.retryAt === null ? null : failed.retryAt - this.at)
    const hint = forked
      ? 'a server must stay in the foreground: look for an option like --no-daemon; what it left was ended'
      : (said ?? exitHint(code))
    this.service.reason = reason('exited', `${what}; ${waits}`, hint)
    this.effects.push({ do: 'notice', level: 'error', message: this.service.reason.message })
    return { do: 'fail', failed }
  }

  /** A start that failed: with a watch the next save is the next try; without, a few by themselves. */
  private failedStart(): Failed {
    const { watch, retry } = this.service.policy
    const again = watch === null && this.service.ends.length <= retry.limit
    return { answering: true, retryAt: again ? this.at + retry.delayMs : null }
  }

  // Lanes.

  private exclusive(): boolean {
    return this.service.policy.swap === 'exclusive' || !this.service.policy.sockets
  }

  private eager(): boolean {
    const { start, sockets } = this.service.policy
    return start === 'eager' || (!sockets && start !== 'manual')
  }

  /** Started, and started again, by connections alone. */
  private onDemand(): boolean {
    return this.service.policy.sockets && this.service.policy.start === 'on-demand'
  }

  private eagerCause(): Cause {
    return { code: 'eager', detail: '', at: this.at }
  }

  private running(): boolean {
    const { kind } = this.service.front
    return kind === 'starting' || kind === 'ready' || kind === 'overlap' || kind === 'clearing'
  }

  /** What is to start once the sockets are there. */
  private wanted(): Cause | null {
    const { front } = this.service
    if (front.kind === 'binding' || front.kind === 'conflict') return front.start
    return front.kind === 'stopping' && front.next !== 'stopped' ? front.next.start : null
  }

  private known(number: number): boolean {
    const { front, leaving, standby } = this.service
    const generations: { number: number }[] = standby ? [...leaving, standby] : [...leaving]
    if ('generation' in front) generations.push(front.generation)
    if (front.kind === 'overlap') generations.push(front.current, front.next)
    return generations.some((each) => each.number === number)
  }

  /** Every lane is taken: the one whose generation has been leaving for longest, which is ended now. */
  private oldestLane(): number {
    const oldest = this.service.leaving[0]
    if (oldest === undefined) return this.service.steered
    this.phase(oldest.number, 'killing')
    return oldest.lane
  }

  /** The lane of whatever comes next, already steered to; or one that has to be cleared first. */
  private successorLane(): number {
    const standby = this.callable()
    if (standby) {
      this.steer(standby.lane)
      return standby.lane
    }
    const lane = freeLane(this.service)
    if (lane === null) return this.oldestLane()
    this.effects.push({ do: 'fresh', lane })
    this.steer(lane)
    return lane
  }

  private steer(lane: number): void {
    this.service.steered = lane
    this.effects.push({ do: 'steer', lane })
  }

  private clear(lane: number, all: boolean, plan: Plan): void {
    this.front({ kind: 'clearing', lane, all, plan })
  }

  private front(front: Front): void {
    this.service.front = front
  }

  private leaveFront(): void {
    const { front } = this.service
    if (front.kind === 'starting') this.leave(front.generation, 'draining', false)
    else if (front.kind === 'ready') this.leave(front.generation, 'draining', true)
    else if (front.kind === 'overlap') {
      this.leave(front.current, 'draining', true)
      this.leave(front.next, 'killing', false)
    }
  }

  private leave(
    { number, lane }: { number: number; lane: number },
    phase: Leaving['phase'],
    served: boolean,
  ): void {
    this.service.leaving = [...this.service.leaving, { number, lane, phase, served, since: this.at }]
  }

  private leaveAll(phase: Leaving['phase']): void {
    this.leaveFront()
    this.service.leaving = this.service.leaving.map((each) =>
      each.phase === 'draining' ? { ...each, phase } : each,
    )
  }

  private phase(number: number, phase: Leaving['phase']): void {
    const order: Leaving['phase'][] = ['draining', 'terminating', 'killing']
    this.service.leaving = this.service.leaving.map((each) =>
      each.number === number && order.indexOf(phase) > order.indexOf(each.phase) ? { ...each, phase } : each,
    )
  }

  /**
   * Saves come faster than servers start and end: one start for several of them. What a save has overtaken before it
   * was ready is told to end first, so that it does not compete with what follows.
   */
  private isCrowded(): boolean {
    const { leaving } = this.service
    return leaving.length > MAX_LEAVING || leaving.some((each) => each.phase === 'draining' && !each.served)
  }

  // The next generation's process, booted ahead.

  private calm(): void {
    if (this.service.front.kind !== 'ready' || this.service.standby || !this.service.policy.standby) return
    const lane = freeLane(this.service)
    if (lane === null) return
    this.effects.push({ do: 'fresh', lane })
    this.service.number += 1
    const { revision } = this.service.policy
    this.service.standby = { number: this.service.number, lane, pid: null, revision }
  }

  /** One that can be the next generation; what could not be is ended. */
  private callable(): Standby | undefined {
    const { standby } = this.service
    if (standby && !isCallable(standby, this.service)) this.dropStandby()
    return this.service.standby
  }

  private called({ number, lane, pid }: Standby, cause: Cause, replaces: number | null): Generation {
    this.service.standby = undefined
    return { number, lane, cause, replaces, pid, standby: true }
  }

  private dropStandby(): void {
    const { standby } = this.service
    this.service.standby = undefined
    if (standby) this.leave(standby, 'killing', false)
  }

  /** What nobody has asked for is missed by nobody. */
  private standbyLost(why: string): void {
    if (this.service.policy.standby === 'always')
      this.effects.push({ do: 'notice', level: 'warn', message: `the process that stood by: ${why}` })
    this.endStandby()
  }

  /** Until the next generation there is no other. */
  private endStandby(): void {
    const { front } = this.service
    if (front.kind === 'ready') this.service.standbyEnded = front.generation.number
    this.dropStandby()
  }

  /** It waits beside a ready generation, and then for its lane to be cleared; for nothing else. */
  private keepStandby(): void {
    const { front, standby, policy } = this.service
    if (!standby) return
    const isNext =
      front.kind === 'clearing' &&
      front.lane === standby.lane &&
      (front.plan.do === 'spawn' || front.plan.do === 'await-save')
    const mayWait = policy.standby && standby.revision === policy.revision
    if (!mayWait || !(front.kind === 'ready' || isNext)) this.dropStandby()
  }

  /** Goes on where a transition only had to wait for what has just happened. */
  settle(): void {
    this.keepStandby()
    const { front, leaving } = this.service
    if (front.kind !== 'clearing') return
    if (front.all ? leaving.length > 0 : leaving.some((each) => each.lane === front.lane)) return
    const { steered } = this.service
    if (steered !== front.lane) {
      this.effects.push({ do: 'fresh', lane: front.lane })
      this.steer(front.lane)
      // Its generation may have gone before, when this was still the lane to wait in.
      if (!leaving.some((each) => each.lane === steered)) this.effects.push({ do: 'relay', lane: steered })
    }
    const { plan, lane } = front
    if (plan.do === 'await-save') return
    if (plan.do === 'spawn' && this.isCrowded()) return
    if (plan.do === 'spawn') return this.begin(lane, plan.cause, plan.replaces)
    this.front(plan.do === 'rest' ? { kind: 'held', lane } : { kind: 'failed', lane, failed: plan.failed })
  }
}
