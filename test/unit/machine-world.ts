import { expect } from 'vitest'
import { type Activity, activities } from '../../proxy/services/activities.ts'
import { lanesInUse } from '../../proxy/services/lanes.ts'
import { initial, transition } from '../../proxy/services/machine.ts'
import { type Effect, type Event, LANES, type Policy, type Service } from '../../proxy/services/state.ts'

export const policy = (over: Partial<Policy> = {}): Policy => ({
  revision: 1,
  sockets: true,
  start: 'on-demand',
  swap: 'hold',
  reload: null,
  watch: ['src/**'],
  retry: { limit: 5, withinMs: 10_000, delayMs: 500 },
  standby: null,
  ...over,
})

export type Said = Event extends infer E ? (E extends { at: number } ? Omit<E, 'at'> : never) : never

/**
 * A machine around the machine: processes, lanes with queues, and messages on their way. It refuses what the
 * real one would refuse, so that every rule the holder relies on is an assertion here.
 */
export class World {
  state: Service
  clock = 0
  readonly spawnedAt = new Map<number, number>()
  readonly reloadedAt = new Map<number, number>()
  readonly alive = new Map<number, { lane: number; leader: boolean }>()
  readonly queues: number[] = Array.from({ length: LANES }, () => 0)
  readonly onTheWay: Said[] = []
  /** Gone, and not forgotten yet: still in the holder's ledger. */
  readonly ended = new Set<number>()
  telling = false
  lastChange = -1
  onNotice: (message: string) => void = () => {}
  /** As the kernel has it: effects are done in order. */
  steered = 0
  bound = false
  /** A file of that generation changed, and the kernel steers to that lane; the machine may not know yet. */
  private tripped: { number: number; lane: number } | null = null

  constructor(policy: Policy) {
    this.state = initial(policy)
  }

  tell(event: Said): void {
    this.clock += 1
    if (event.type === 'change') this.lastChange = this.clock
    const before = activities(this.state)
    const result = transition(this.state, { ...event, at: this.clock } as Event)
    this.state = result.state
    for (const effect of result.effects) this.perform(effect)
    this.relayTripped()
    const now = activities(this.state)
    const key = (activity: Activity) => JSON.stringify(activity)
    const had = new Set(before.map(key))
    for (const activity of now) if (!had.has(key(activity))) this.begin(activity)
    if (!this.telling) this.check(now)
  }

  private perform(effect: Effect): void {
    // The slot that is steered to is never reset.
    if (effect.do === 'fresh' && effect.lane !== this.steered) {
      expect(this.queues[effect.lane], 'a lane with waiting connections was reset').toBe(0)
      expect(this.livingOn(effect.lane), 'a lane was reset under a living generation').toEqual([])
    }
    if (effect.do === 'forget') this.ended.delete(effect.number)
    if (effect.do === 'notice') this.onNotice(effect.message)
    if (effect.do === 'steer') this.steered = effect.lane
    if (effect.do === 'relay') {
      expect(effect.lane).not.toBe(this.steered)
      const waiting = this.queues[effect.lane] ?? 0
      this.queues[effect.lane] = 0
      this.queues[this.steered] = (this.queues[this.steered] ?? 0) + waiting
    }
  }

  /** doing/tripwire.ts, `tripped`. */
  private relayTripped(): void {
    if (this.tripped === null || this.serves(this.tripped.number)) return
    const { lane } = this.tripped
    this.tripped = null
    if (lane !== this.steered && !lanesInUse(this.state).has(lane)) this.perform({ do: 'relay', lane })
  }

  private serves(number: number): boolean {
    const { front } = this.state
    return front.kind === 'ready' && front.generation.number === number
  }

  private begin(activity: Activity): void {
    // What was booted ahead reads the project's files when it is called.
    if (activity.kind === 'await-ready' && activity.standby) this.spawnedAt.set(activity.number, this.clock)
    if (activity.kind !== 'spawn' && activity.kind !== 'boot') return
    // The holder answers a spawn that crossed an armed spec with the generation that is there already.
    if (this.spawnedAt.has(activity.number)) return
    expect(this.livingOn(activity.lane), 'two generations on one lane').toEqual([])
    this.start(activity)
  }

  private start({ number, lane }: { number: number; lane: number }): void {
    this.spawnedAt.set(number, this.clock)
    this.alive.set(number, { lane, leader: true })
    this.onTheWay.push({ type: 'spawned', number, pid: 1000 + number, startedAt: this.clock })
  }

  private livingOn(lane: number): number[] {
    if (!this.state.policy.sockets) return []
    return [...this.alive].filter(([, each]) => each.lane === lane).map(([number]) => number)
  }

  private check(now: Activity[]): void {
    const { front, leaving, steered, standby } = this.state
    expect(leaving.filter((each) => each.phase === 'draining').length).toBeLessThanOrEqual(4)
    const lanes = leaving.map((each) => each.lane)
    if (front.kind === 'starting' || front.kind === 'ready') lanes.push(front.generation.lane)
    if (front.kind === 'overlap') lanes.push(front.current.lane, front.next.lane)
    if (standby) lanes.push(standby.lane)
    if (standby)
      expect(standby.lane === steered, 'what waits to be called has traffic').toBe(front.kind === 'clearing')
    if (this.state.policy.sockets) expect(new Set(lanes).size, 'a lane is shared').toBe(lanes.length)
    for (const lane of lanes) expect(lane).toBeLessThan(LANES)
    const tracked = new Set(leaving.map((each) => each.number))
    if (standby) tracked.add(standby.number)
    if (front.kind === 'starting' || front.kind === 'ready') tracked.add(front.generation.number)
    if (front.kind === 'overlap') tracked.add(front.current.number).add(front.next.number)
    const coming = new Set(this.onTheWay.flatMap((each) => (each.type === 'spawned' ? [each.number] : [])))
    for (const number of this.alive.keys()) {
      expect(tracked.has(number) || coming.has(number), `generation ${number} lives unknown`).toBe(true)
    }
    if (front.kind === 'starting' || front.kind === 'ready') expect(front.generation.lane).toBe(steered)
    if (front.kind === 'overlap') expect(front.current.lane).toBe(steered)
    if (front.kind === 'held' || front.kind === 'failed') expect(front.lane).toBe(steered)
    expect(
      now.filter((each) => each.kind === 'spawn' || each.kind === 'await-ready' || each.kind === 'arm')
        .length,
    ).toBeLessThanOrEqual(1)
  }

  connect(): void {
    if (!this.bound || this.state.front.kind === 'stopping' || this.state.front.kind === 'stopped') return
    this.queues[this.steered] = (this.queues[this.steered] ?? 0) + 1
    this.wake()
  }

  /** A file is written: what the holder does by itself, and its news. */
  save(): void {
    const wire = activities(this.state).find((each) => each.kind === 'tripwire')
    if (wire === undefined || this.tripped !== null) return
    this.tripped = wire
    this.steered = wire.lane
    this.onTheWay.push({ type: 'saving', detail: 'src/a.ts' })
    this.connect()
  }

  /** What the holder does by itself: an armed spec starts on a lane that has somebody waiting. */
  wake(): void {
    for (const activity of activities(this.state)) {
      if (activity.kind !== 'arm' || (this.queues[activity.lane] ?? 0) === 0) continue
      if (this.spawnedAt.has(activity.number)) continue
      this.start(activity)
    }
  }

  /** Another daemon takes over: messages on the way are lost, and it tells what the holder's ledger has. */
  restart(): void {
    this.state = JSON.parse(JSON.stringify(this.state)) as Service
    this.onTheWay.splice(0)
    this.telling = true
    for (const number of [...this.alive.keys(), ...this.ended]) {
      this.tell({ type: 'spawned', number, pid: 1000 + number, startedAt: this.spawnedAt.get(number) ?? 0 })
    }
    for (const number of [...this.ended]) {
      this.tell({ type: 'exited', number, code: 1, signal: null, left: 0, again: false, hint: null })
      this.tell({ type: 'gone', number })
    }
    // Member.resume
    const { front, steered } = this.state
    if (front.kind === 'ready' && steered !== this.steered) this.tell({ type: 'change', detail: 'saved' })
    this.telling = false
    this.check(activities(this.state))
  }

  /** One message arrives; true if there was one. */
  deliver(): boolean {
    const event = this.onTheWay.shift()
    if (event === undefined) return false
    this.tell(event)
    return true
  }

  /** The generation's leader ends, and with it, a moment later, its group. */
  exit(number: number, code: number, again = false): void {
    const generation = this.alive.get(number)
    if (generation === undefined || !generation.leader) return
    generation.leader = false
    this.onTheWay.push({ type: 'exited', number, code, signal: null, left: 0, again, hint: null })
    this.onTheWay.push({ type: 'gone', number })
    this.alive.delete(number)
    this.ended.add(number)
  }

  /** Lets activity `pick` come to its end, well or badly. */
  progress(pick: number, well: boolean): boolean {
    const possible = activities(this.state).filter((each) => each.kind !== 'arm' && each.kind !== 'idle')
    const activity = possible[pick % Math.max(1, possible.length)]
    if (activity === undefined) return false
    switch (activity.kind) {
      case 'bind':
        this.bound = well
        this.steered = 0
        if (well) this.queues.fill(0)
        this.tell(
          well
            ? { type: 'bound' }
            : {
                type: 'bind-failed',
                taken: [{ socket: 'http', owners: [] }],
                external: false,
                reason: { code: 'port-taken', message: 'taken', hint: null },
              },
        )
        return true
      case 'await-port':
        this.tell({ type: 'port-free' })
        return true
      case 'release':
        // The holder answers in order: what it said before comes before.
        if (this.deliver()) return true
        this.bound = false
        this.queues.fill(0)
        this.tell({ type: 'released' })
        return true
      case 'answer':
        this.queues[activity.lane] = 0
        return false
      case 'retry':
        this.tell({ type: 'retry-due' })
        return true
      case 'spawn':
      case 'boot':
        return this.deliver()
      case 'calm':
        this.tell({ type: 'calm' })
        return true
      case 'await-need':
        if (!well) this.tell({ type: 'unneeded' })
        return !well
      case 'await-ready':
        if (well && this.alive.has(activity.number)) {
          this.queues[activity.lane] = 0
          this.tell({ type: 'ready', number: activity.number, queued: 0 })
        } else if (activity.standby) this.tell({ type: 'not-waiting', number: activity.number })
        else if (pick % 2 === 0) this.tell({ type: 'unbound', number: activity.number })
        else this.tell({ type: 'not-ready', number: activity.number, message: 'too late', hint: null })
        return true
      case 'reload':
        if (well && this.alive.has(activity.number)) {
          this.queues[activity.lane] = 0
          this.reloadedAt.set(activity.number, this.clock)
          this.tell({ type: 'reloaded', number: activity.number })
        } else this.tell({ type: 'reload-failed', number: activity.number, message: 'lost' })
        return true
      case 'pass':
      case 'tripwire':
        return false
      case 'drain':
        if (!activity.served && !well) {
          this.tell({ type: 'serves', number: activity.number })
          return true
        }
        if (activity.served) this.queues[activity.lane] = 0
        this.tell({ type: 'drained', number: activity.number, moved: 0, cut: 0 })
        return true
      case 'terminate':
        if (well) this.exit(activity.number, 0)
        else this.tell({ type: 'grace-over', number: activity.number })
        return true
      case 'kill':
        if (this.alive.has(activity.number)) this.exit(activity.number, 137)
        else if (!this.deliver()) this.tell({ type: 'gone', number: activity.number })
        return true
      case 'make-room':
        this.tell({ type: 'grace-over', number: activity.number })
        return true
    }
  }

  /** Everything goes well from here on, until nothing more happens. */
  settle(): void {
    for (let step = 0; step < 500; step += 1) {
      while (this.deliver());
      const { front } = this.state
      if (front.kind === 'ready') this.queues[front.generation.lane] = 0
      // The watch tells the end of every save whose beginning it has told.
      if (front.kind === 'clearing' && front.plan.do === 'await-save') {
        this.tell({ type: 'change', detail: front.plan.cause.detail })
        continue
      }
      this.wake()
      if (this.onTheWay.length > 0) continue
      const before = this.clock
      const count = activities(this.state).length
      for (let pick = 0; pick < count && this.clock === before && this.onTheWay.length === 0; pick += 1) {
        this.progress(pick, true)
      }
      if (this.clock === before && this.onTheWay.length === 0) return
    }
    throw new Error(`never settles: ${JSON.stringify(this.state)}`)
  }
}
