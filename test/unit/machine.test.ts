import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { activities } from '../../proxy/services/activities.ts'
import { transition } from '../../proxy/services/machine.ts'
import type { Policy } from '../../proxy/services/state.ts'
import { policy, type Said, World } from './machine-world.ts'

type Step =
  | { kind: 'ask'; event: Said }
  | { kind: 'connect' }
  | { kind: 'restart' }
  | { kind: 'deliver' }
  | { kind: 'save' }
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
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'save' }) },
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
  standby: fc.constantFrom<Policy['standby']>(null, 'lately', 'always'),
})

function run(world: World, sequence: Step[]): void {
  for (const step of sequence) {
    if (step.kind === 'ask') world.tell(step.event)
    else if (step.kind === 'connect') world.connect()
    else if (step.kind === 'save') world.save()
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
        if (state.standby) expect(given.standby !== null && state.front.kind === 'ready').toBe(true)
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
    const world = ready({ swap: 'hold', standby: 'always' })
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
    const world = ready({ standby: 'always' })
    world.tell({
      type: 'configure',
      policy: policy({ standby: 'always', revision: 2 }),
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

  test('uses one that is being booted, too: it is called when it has come to wait', () => {
    const world = ready({ standby: 'always' })
    const booting = { ...world.state, standby: { number: 2, lane: 1, pid: null, revision: 1 } }
    const boot = { kind: 'boot', number: 2, lane: 1 }
    expect(activities(booting)).toContainEqual(boot)
    const { state } = transition(booting, { type: 'change', detail: 'a.js', at: 99 })
    expect(state).toMatchObject({ front: { kind: 'starting', generation: { number: 2 } }, steered: 1 })
    expect(activities(state)).toContainEqual(boot)
    const spawned = transition(state, { type: 'spawned', number: 2, pid: 1002, startedAt: 98, at: 100 })
    expect(activities(spawned.state)).toContainEqual({
      kind: 'await-ready',
      number: 2,
      lane: 1,
      standby: true,
    })
    const failed = transition(state, {
      type: 'spawn-failed',
      number: 2,
      message: 'no',
      hint: null,
      shortage: false,
      at: 100,
    })
    expect(failed.state).toMatchObject({
      front: { kind: 'starting', generation: { number: 3 } },
      ends: [],
      leaving: [{ number: 1 }],
    })
  })

  test('keeps what was booted ahead for a while only, and boots another after the next save', () => {
    const world = ready({ standby: 'lately' })
    const { standby } = world.state
    expect(activities(world.state)).toContainEqual({ kind: 'await-need', number: standby?.number })
    world.tell({ type: 'unneeded' })
    world.settle()
    expect(world.state).toMatchObject({
      front: { generation: { number: 1 } },
      standby: undefined,
      leaving: [],
    })
    world.tell({ type: 'change', detail: 'a.js' })
    world.settle()
    expect(world.state).toMatchObject({ front: { generation: { number: 3 } }, standby: { number: 4 } })
    expect(ready({ standby: 'lately', watch: null }).state.standby).toBeUndefined()
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
