import { type Activity, activities } from './activities.ts'
import type { Context } from './context.ts'
import { begin } from './doing/index.ts'
import { initial, transition } from './machine.ts'
import { generationId } from './names.ts'
import type { Effect, Event, Happening, Policy, Service } from './state.ts'
import type { Unit } from './unit.ts'

/**
 * The shell around one service's machine: it saves each state before anything but steering is done about it, does
 * the effects in order, and keeps exactly those activities going that the state calls for.
 */
export class Runner implements Disposable {
  readonly unit: Unit
  #state: Service
  readonly #context: Context
  readonly #going = new Map<string, AbortController>()
  readonly #watchers = new Set<() => void>()
  #work: Promise<void> = Promise.resolve()
  #waiting = 0
  #sent: Promise<unknown> = Promise.resolve()
  #paused = true

  constructor(context: Context, unit: Unit, policy: Policy, saved: Service | null) {
    this.#context = context
    this.unit = unit
    this.#state = saved ?? initial(policy)
  }

  get state(): Service {
    return this.#state
  }

  /** From here on activities go on; until then `tell` only brings the state up to date. */
  begin(): void {
    this.#paused = false
    this.#enqueue(() => this.#keepGoing(), this.unit.home.saved())
  }

  tell(happening: Happening): void {
    const at = this.#context.now()
    if (happening.type === 'spawned') this.unit.leaders.set(happening.number, happening.pid)
    const { state, effects } = transition(this.#state, { ...happening, at } as Event)
    this.#state = state
    const { generation, reason } = { generation: state.number, reason: state.reason.message }
    this.#context.log.debug({ service: this.unit.id, happening, front: state.front.kind, generation, reason })
    const { home } = this.unit
    // The holder tells the next daemon of a process that it has; whoever waits for its answer is not kept by a disk.
    const isKnown = happening.type === 'spawned' && effects.length === 0
    if (isKnown) home.touchSoon()
    else home.touch()
    // Effects and the activities of this state wait for the save; what the state no longer calls for ends now.
    this.#endOthers()
    const rest = this.#steerAhead(effects)
    const job = (): void => {
      for (const effect of rest) this.#perform(effect)
      if (!this.#paused) this.#keepGoing()
    }
    this.#enqueue(job, isKnown ? Promise.resolve() : home.saved())
    for (const watcher of this.#watchers) watcher()
    this.#context.changed(this.unit)
  }

  /** Resolves when `test` holds of the state; rejects when the signal is aborted. */
  until(test: (state: Service) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!signal.aborted && !test(this.#state)) return
        this.#watchers.delete(check)
        signal.removeEventListener('abort', check)
        if (signal.aborted) reject(signal.reason)
        else resolve()
      }
      this.#watchers.add(check)
      signal.addEventListener('abort', check)
      check()
    })
  }

  /** Resolves when the holder has done all that follows from the state as it is now: a state is told before its effects. */
  async performed(): Promise<void> {
    await this.#work
    await this.#sent
  }

  [Symbol.dispose](): void {
    this.#paused = true
    for (const controller of this.#going.values()) controller.abort()
    this.#going.clear()
  }

  /**
   * New connections are steered away without waiting for the save: until then old code gets them. A daemon that does
   * not know of it steers as its state says, and relays who came meanwhile (member.ts). The effects that are left.
   */
  #steerAhead(effects: Effect[]): Effect[] {
    if (this.#waiting > 0) return effects
    const steering = effects.findIndex((effect) => effect.do !== 'fresh' && effect.do !== 'steer')
    const ahead = steering === -1 ? effects.length : steering
    for (const effect of effects.slice(0, ahead)) this.#perform(effect)
    return effects.slice(ahead)
  }

  #enqueue(job: () => void, saved: Promise<void>): void {
    this.#waiting += 1
    this.#work = this.#work
      .then(() => saved)
      .then(() => {
        this.#waiting -= 1
        job()
      })
      .catch((error: unknown) => this.#context.log.error({ service: this.unit.id, error }, 'a step failed'))
  }

  #perform(effect: Effect): void {
    const { unit } = this
    switch (effect.do) {
      case 'fresh':
        return this.#send(unit.eachSocket((name) => this.#context.holder.fresh(name, effect.lane)))
      case 'steer':
        return this.#send(unit.eachSocket((name) => this.#context.holder.steer(name, effect.lane)))
      case 'relay':
        return this.#send(unit.eachSocket((name) => this.#context.holder.relay(name, effect.lane)))
      case 'forget':
        unit.forget(effect.number)
        return this.#send([this.#context.holder.forget(generationId(unit.id, effect.number))])
      case 'receipt':
        this.#context.log.info({ service: unit.id, receipt: effect.receipt }, 'swapped')
        return this.#context.publish({
          type: 'swap',
          project: unit.project,
          service: unit.name,
          generation: effect.receipt.to,
          receipt: effect.receipt,
        })
      case 'notice':
        return this.#context.publish({
          type: 'notice',
          level: effect.level,
          project: unit.project,
          service: unit.name,
          message: effect.message,
        })
    }
  }

  /** Requests go out at once and in order; only their failure is news. */
  #send(requests: Promise<unknown>[]): void {
    // Answers come in the order of the requests, so the last ones are enough.
    this.#sent = Promise.allSettled(requests)
    for (const request of requests) {
      request.catch((error: unknown) => {
        this.#context.log.warn({ service: this.unit.id, error: String(error) }, 'the holder refused')
      })
    }
  }

  #endOthers(): void {
    const wanted = new Set(activities(this.#state).map(key))
    for (const [name, controller] of this.#going) {
      if (wanted.has(name)) continue
      this.#going.delete(name)
      controller.abort()
    }
  }

  #keepGoing(): void {
    for (const activity of activities(this.#state)) {
      const name = key(activity)
      if (this.#going.has(name)) continue
      const controller = new AbortController()
      this.#going.set(name, controller)
      const tell = (happening: Happening): void => {
        if (!controller.signal.aborted) this.tell(happening)
      }
      void begin(activity, {
        context: this.#context,
        unit: this.unit,
        state: () => this.#state,
        tell,
        signal: controller.signal,
      })
    }
  }
}

const key = (activity: Activity): string => JSON.stringify(activity)
