import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Activity, activities } from '../../proxy/services/activities.ts'
import { initial, transition } from '../../proxy/services/machine.ts'
import { type Effect, type Event, LANES, type Policy, type Service } from '../../proxy/services/state.ts'

const policy = (over: Partial<Policy> = {}): Policy => ({
  revision: 1,
  sockets: true,
  start: 'on-demand',
  swap: 'hold',
  reload: null,
  watch: ['src/**'],
  retry: { limit: 5, withinMs: 10_000, delayMs: 500 },
  standby: false,
  ...over,
})

type Said = Event extends infer E ? (E extends { at: number } ? Omit<E, 'at'> : never) : never

/**
 * A machine around the machine: processes, lanes with queues, and messages on their way. It refuses what the
 * real one would refuse, so that every rule the holder relies on is an assertion here.
 */
class World {
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
    const now = activities(this.state)
    const key = (activity: Activity) => JSON.stringify(activity)
    const had = new Set(before.map(key))
    for (const activity of now) if (!had.has(key(activity))) this.begin(activity)
    if (!this.telling) this.check(now)
  }

  private perform(effect: Effect): void {
    if (effect.do === 'fresh') {
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

  private begin(activity: Activity): void {
    // What was booted ahead reads the project's files when it is called.
    if (activity.kind === 'await-ready' && activity.standby) this.spawnedAt.set(activity.number, this.clock)
    if (activity.kind !== 'spawn' && activity.kind !== 'boot') return
    // The holder answers a spawn that crossed an armed spec with the generation that is there already.
    if (this.spawnedAt.has(activity.number)) return
    expect(this.livingOn(activity.lane), 'two generations on one lane').toEqual([])
    this.spawnedAt.set(activity.number, this.clock)
    this.alive.set(activity.number, { lane: activity.lane, leader: true })
    this.onTheWay.push({
      type: 'spawned',
      number: activity.number,
      pid: 1000 + activity.number,
      startedAt: this.clock,
    })
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
    this.queues[this.state.steered] = (this.queues[this.state.steered] ?? 0) + 1
    this.wake()
  }

  /** What the holder does by itself: an armed spec starts on a lane that has somebody waiting. */
  wake(): void {
    for (const activity of activities(this.state)) {
      if (activity.kind !== 'arm' || (this.queues[activity.lane] ?? 0) === 0) continue
      if (this.spawnedAt.has(activity.number)) continue
      this.spawnedAt.set(activity.number, this.clock)
      this.alive.set(activity.number, { lane: activity.lane, leader: true })
      this.onTheWay.push({
        type: 'spawned',
        number: activity.number,
        pid: 1000 + activity.number,
        startedAt: this.clock,
      })
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

type Step =
  | { kind: 'ask'; event: Said }
  | { kind: 'connect' }
  | { kind: 'restart' }
  | { kind: 'deliver' }
  | { kind: 'exit'; nth: number; code: number; again: boolean }
  | { kind: 'progress'; pick: number; well: boolean }

const ask = (event: Said): Step => ({ kind: 'ask', event })
const asked = fc.constantFrom<Step>(
  ask({ type: 'up' }),
  ask({ type: 'start' }),
  ask({ type: 'restart' }),
  ask({ type: 'stop' }),
  ask({ type: 'sleep' }),
  ask({ type: 'idle' }),
  ask({ type: 'kill' }),
  ask({ type: 'saving', detail: 'src/a.ts' }),
  ask({ type: 'change', detail: 'src/a.ts' }),
)
const steps = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: asked },
    { weight: 2, arbitrary: fc.constant<Step>(ask({ type: 'change', detail: 'src/b.ts' })) },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'connect' }) },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: 'deliver' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('exit' as const),
        nth: fc.nat(4),
        code: fc.nat(1),
        again: fc.boolean(),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('progress' as const), pick: fc.nat(9), well: fc.boolean() }),
    },
  ),
  { maxLength: 80 },
)
const policies = fc.record({
  revision: fc.constant(1),
  sockets: fc.boolean(),
  start: fc.constantFrom<Policy['start']>('on-demand', 'eager', 'manual'),
  swap: fc.constantFrom<Policy['swap']>('hold', 'overlap', 'exclusive'),
  reload: fc.constantFrom<Policy['reload']>(null, null, 'SIGHUP'),
  watch: fc.constantFrom<Policy['watch']>(null, ['src/**']),
  retry: fc.constant({ limit: 3, withinMs: 40, delayMs: 5 }),
  standby: fc.boolean(),
})

function run(world: World, sequence: Step[]): void {
  for (const step of sequence) {
    if (step.kind === 'ask') world.tell(step.event)
    else if (step.kind === 'connect') world.connect()
    else if (step.kind === 'restart') world.restart()
    else if (step.kind === 'deliver') world.deliver()
    else if (step.kind === 'progress') world.progress(step.pick, step.well)
    else {
      const number = [...world.alive.keys()][step.nth]
      if (number !== undefined) world.exit(number, step.code, step.again)
    }
  }
}

// Ten thousand runs each: seconds, or a minute on a machine that is busy building.
describe('whatever happens, in whatever order', { timeout: 180_000 }, () => {
  const runs = { numRuns: 10000 }

  test('no lane is shared, nothing lives unknown, what is steered to is in front, and no queue is reset', () => {
    fc.assert(
      fc.property(policies, steps, (given, sequence) => {
        run(new World(given), sequence)
      }),
      runs,
    )
  })

  test('what is desired is reached, or failure is explained', () => {
    fc.assert(
      fc.property(policies, steps, (given, sequence) => {
        const world = new World(given)
        world.tell({ type: 'up' })
        run(world, sequence)
        world.settle()
        const { state } = world
        expect(state.leaving).toEqual([])
        if (state.desired === 'down') expect(state.front.kind).toBe('stopped')
        else expect(['held', 'ready', 'failed']).toContain(state.front.kind)
        if (state.front.kind === 'failed') expect(state.reason.message).not.toBe('')
        const asleep = state.reason.code === 'idle' || state.reason.message === 'asleep by request'
        if (state.desired === 'up' && given.start === 'eager' && !asleep)
          expect(['ready', 'failed']).toContain(state.front.kind)
        expect([...world.alive.keys()].length).toBe(
          (state.front.kind === 'ready' ? 1 : 0) + (state.standby ? 1 : 0),
        )
        if (state.standby) expect(given.standby && state.front.kind === 'ready').toBe(true)
      }),
      runs,
    )
  })

  test('no save is lost: what serves in the end was started after the last one', () => {
    fc.assert(
      fc.property(policies, steps, (given, sequence) => {
        const world = new World(given)
        world.tell({ type: 'up' })
        run(world, sequence)
        world.settle()
        const { front } = world.state
        // Under overlap a broken save leaves the old generation serving, and says so.
        if (front.kind !== 'ready' || world.state.reason.message.includes('goes on serving')) return
        const { number } = front.generation
        const newAt = Math.max(world.spawnedAt.get(number) ?? 0, world.reloadedAt.get(number) ?? 0)
        expect(newAt).toBeGreaterThanOrEqual(world.lastChange)
      }),
      runs,
    )
  })

  test('no connection is lost: each is accepted or answered once the service has settled', () => {
    fc.assert(
      fc.property(policies, steps, (given, sequence) => {
        fc.pre(given.sockets)
        const world = new World(given)
        world.tell({ type: 'up' })
        run(world, sequence)
        world.settle()
        const answering = activities(world.state).some((each) => each.kind === 'answer')
        if (!answering) expect(world.queues).toEqual(world.queues.map(() => 0))
      }),
      runs,
    )
  })
})

describe('a swap', () => {
  const ready = (over: Partial<Policy>): World => {
    const world = new World(policy(over))
    world.tell({ type: 'up' })
    world.settle()
    world.tell({ type: 'start' })
    world.settle()
    expect(world.state.front.kind).toBe('ready')
    return world
  }

  test('uses the process that was booted ahead: its lane is made already, and it is called', () => {
    const world = ready({ swap: 'hold', standby: true })
    const { standby } = world.state
    expect(standby).toMatchObject({ number: 2, lane: 1, pid: 1002 })
    const { state, effects } = transition(world.state, { type: 'change', detail: 'a.js', at: 99 })
    expect(effects).toEqual([{ do: 'steer', lane: 1 }])
    expect(activities(state)).toContainEqual({ kind: 'await-ready', number: 2, lane: 1, standby: true })
    expect(state.standby).toBeUndefined()
    world.tell({ type: 'change', detail: 'a.js' })
    world.settle()
    expect(world.state).toMatchObject({ front: { generation: { number: 2 } }, standby: { number: 3 } })
  })

  test('uses none of an older configuration, and none that died; after one that died none is booted until the next', () => {
    const world = ready({ standby: true })
    world.tell({
      type: 'configure',
      policy: policy({ standby: true, revision: 2 }),
      restart: true,
      rebind: false,
    })
    expect(world.state.front).toMatchObject({ kind: 'starting', generation: { number: 3 } })
    expect(world.state.leaving).toContainEqual(expect.objectContaining({ number: 2, phase: 'killing' }))
    world.settle()
    expect(world.state.standby).toMatchObject({ number: 4, revision: 2 })
    world.exit(4, 1)
    world.settle()
    expect(world.state).toMatchObject({ front: { kind: 'ready' }, lastExit: { code: 0 }, ends: [] })
    expect(world.state.standby).toBeUndefined()
    world.tell({ type: 'change', detail: 'a.js' })
    world.settle()
    expect(world.state).toMatchObject({ front: { generation: { number: 5 } }, standby: { number: 6 } })
  })

  test('under hold steers away from the old generation before anything else', () => {
    const world = ready({ swap: 'hold' })
    const { state, effects } = transition(world.state, { type: 'change', detail: 'a.js', at: 99 })
    expect(effects.slice(0, 2)).toEqual([
      { do: 'fresh', lane: 1 },
      { do: 'steer', lane: 1 },
    ])
    expect(state.front).toMatchObject({ kind: 'starting', generation: { number: 2, lane: 1, replaces: 1 } })
    expect(state.leaving).toMatchObject([{ number: 1, lane: 0, phase: 'draining' }])
  })

  test('under hold begins with the first sign of a save, and spawns when its content is complete', () => {
    const world = ready({ swap: 'hold' })
    world.tell({ type: 'saving', detail: 'a.js' })
    const at = world.clock
    expect(world.steered).toBe(1)
    expect(world.state.leaving).toMatchObject([{ number: 1, phase: 'draining' }])
    expect(activities(world.state).map(({ kind }) => kind)).toEqual(['drain'])
    world.tell({ type: 'change', detail: 'a.js and 3 more' })
    expect(world.state.front).toMatchObject({
      kind: 'starting',
      generation: { number: 2, lane: 1, replaces: 1, cause: { detail: 'a.js and 3 more', at } },
    })
    world.settle()
    expect(world.state.lastSwap).toMatchObject({ from: 1, to: 2, cause: 'a.js and 3 more' })
  })

  test('under overlap leaves the old one serving until the next is ready, and when the next fails', () => {
    const world = ready({ swap: 'overlap' })
    world.tell({ type: 'change', detail: 'a.js' })
    expect(world.state.front.kind).toBe('overlap')
    expect(world.state.steered).toBe(0)
    world.deliver()
    world.exit(2, 1)
    world.settle()
    expect(world.state.front).toMatchObject({ kind: 'ready', generation: { number: 1 } })
    expect(world.state.reason.message).toContain('generation 1 goes on serving')
  })

  test('under exclusive starts the next only when the old one has gone', () => {
    const world = ready({ swap: 'exclusive' })
    world.tell({ type: 'change', detail: 'a.js' })
    expect(world.state.front.kind).toBe('clearing')
    expect(activities(world.state).some((each) => each.kind === 'spawn')).toBe(false)
    world.settle()
    expect(world.state.front).toMatchObject({ kind: 'ready', generation: { number: 2 } })
    expect(world.state.lastSwap).toMatchObject({ from: 1, to: 2, policy: 'exclusive' })
  })

  test('many saves at once coalesce: the newest wins, and no more than four drain', () => {
    const world = ready({ swap: 'hold' })
    for (let save = 0; save < 20; save += 1) world.tell({ type: 'change', detail: `${save}.js` })
    world.settle()
    expect(world.state.lastSwap?.cause).toBe('19.js')
  })

  test('is a signal instead where the server reloads itself, and a newer save sends another', () => {
    const world = ready({ reload: 'SIGHUP' })
    world.tell({ type: 'saving', detail: 'a.py' })
    world.tell({ type: 'change', detail: 'a.py' })
    const [first, ...others] = activities(world.state)
    // It goes on serving.
    expect(others).toEqual([{ kind: 'pass' }])
    expect(first).toMatchObject({ kind: 'reload', number: 1, lane: 0, signal: 'SIGHUP' })
    world.tell({ type: 'change', detail: 'b.py' })
    expect(activities(world.state)).not.toContainEqual(first)
    world.settle()
    expect(world.state.front).toMatchObject({ kind: 'ready', generation: { number: 1 } })
    expect(world.state.lastSwap).toMatchObject({ from: 1, to: 1, cause: 'b.py', policy: 'reload' })
  })

  test.each([
    ['a server that the signal ends', (world: World) => world.exit(1, 129), 'exit 129'],
    [
      'one that lost its socket by it',
      (world: World) => world.tell({ type: 'reload-failed', number: 1, message: 'it is lost' }),
      'it is lost',
    ],
  ])('follows a reload of %s, and says so', (_, goes, why) => {
    const world = ready({ reload: 'SIGHUP' })
    world.tell({ type: 'change', detail: 'a.py' })
    const notices: string[] = []
    world.onNotice = (message) => notices.push(message)
    goes(world)
    world.settle()
    expect(notices).toEqual([`SIGHUP: ${why}; it is swapped instead`])
    expect(world.state.front).toMatchObject({ kind: 'ready', generation: { number: 2 } })
    expect(world.state.lastSwap).toMatchObject({ from: 1, to: 2, cause: 'a.py', policy: 'hold' })
    expect(world.state.counters.crashes).toBe(0)
  })

  test('and not a signal where the configuration is another', () => {
    const world = ready({ reload: 'SIGHUP' })
    world.tell({ type: 'configure', policy: policy({ reload: 'SIGHUP' }), restart: true, rebind: false })
    expect(world.state.front).toMatchObject({ kind: 'starting', generation: { number: 2 } })
  })

  test('the state survives a round through JSON', () => {
    const world = ready({ swap: 'hold' })
    world.tell({ type: 'change', detail: 'a.js' })
    expect(JSON.parse(JSON.stringify(world.state))).toEqual(world.state)
  })
})

describe('a server that ends', () => {
  test('is armed again at once, then waits, then is given up with a reason', () => {
    const world = new World(policy({ retry: { limit: 2, withinMs: 10_000, delayMs: 500 } }))
    world.tell({ type: 'up' })
    world.settle()
    const crash = (): void => {
      world.connect()
      world.settle()
      world.exit(world.state.number, 1)
      while (world.deliver());
    }
    crash()
    expect(world.state.front.kind).toBe('held')
    crash()
    expect(world.state.front).toMatchObject({ kind: 'failed', failed: { answering: false } })
    world.tell({ type: 'retry-due' })
    crash()
    expect(world.state.front).toMatchObject({ kind: 'failed', failed: { answering: true, retryAt: null } })
    expect(world.state.reason.message).toContain('3 times within 10 s')
    world.tell({ type: 'change', detail: 'fixed.js' })
    world.settle()
    expect(world.state.front.kind).toBe('ready')
  })

  test('that a shortage kept from starting is tried again, whatever is watched and however often', () => {
    const world = new World(policy({ start: 'eager', watch: ['src/**'] }))
    world.tell({ type: 'up' })
    world.progress(0, true)
    for (let time = 1; time <= 9; time += 1) {
      world.onTheWay.splice(0)
      const { number } = world.state
      world.alive.delete(number)
      world.tell({ type: 'spawn-failed', number, message: 'the disk is full', hint: null, shortage: true })
      expect(world.state.front).toMatchObject({ kind: 'failed', failed: { answering: true } })
      expect(activities(world.state).map(({ kind }) => kind)).toEqual(['retry', 'answer'])
      world.tell({ type: 'retry-due' })
      expect(world.state.front.kind).toBe('starting')
    }
    world.settle()
    expect(world.state.front.kind).toBe('ready')
  })

  test('without its port is started once more, for the same cause, and no failure is told', () => {
    for (const swap of ['hold', 'overlap'] as const) {
      const world = new World(policy({ start: 'eager', swap }))
      world.tell({ type: 'up' })
      world.settle()
      world.tell({ type: 'change', detail: 'src/a.ts' })
      world.deliver()
      world.exit(2, 1, true)
      world.settle()
      expect(world.state).toMatchObject({
        front: { kind: 'ready', generation: { number: 3 } },
        lastSwap: { from: 1, to: 3, cause: 'src/a.ts', policy: swap },
        counters: { crashes: 0 },
        ends: [],
      })
    }
  })

  test('in the background is told to stay in the foreground', () => {
    const world = new World(policy({ start: 'eager' }))
    world.tell({ type: 'up' })
    world.progress(0, true)
    world.deliver()
    world.tell({ type: 'exited', number: 1, code: 0, signal: null, left: 2, again: false, hint: null })
    expect(world.state.reason.hint).toContain('foreground')
  })
})
