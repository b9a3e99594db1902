import { type Descriptor, finishWriting, probe } from '../../../native/index.ts'
import { isDynamic, reports } from '../adoption.ts'
import { waiting } from '../kernel.ts'
import type { Service } from '../state.ts'
import { pause, type Task } from './task.ts'

/** Milliseconds between two looks at a queue (2 µs each): fine while a start is young, then coarser. */
const lookAfter = (age: number): number => (age < 1_000 ? 2 : age < 10_000 ? 10 : 50)

/** How long a program with the preload library in it may take to say that it waits for connections. */
const REPORT_MS = 5_000
/** The same for one that has bound its port. */
const BOUND_MS = 1_000
/** Until a program that was just executed is looked at (its shell may be about to execute another), and again. */
const LOOK_MS = 10
const LOOK_AGAIN_MS = 100

/** The generation that is waited for. */
export interface Awaited {
  number: number
  lane: number
}

/**
 * The program takes connections from its slot, or the preload library saw it wait for them: the number of
 * connections that waited. A program that can say nothing is connected to, if no client has come. A worker has no
 * slot and is ready when it runs.
 */
export async function taken(task: Task, awaited: Awaited): Promise<number> {
  const { context, unit } = task
  const { number, lane } = awaited
  if (unit.service.sockets.length === 0) return 0
  const began = context.now()
  let most = waiting(task, lane)
  // A generation that a connection woke may have taken it before this first look.
  if (most === 0 && wokenByConnection(task.state(), number)) return 1
  using knock = new Knock(task, awaited, began)
  for (;;) {
    const depth = waiting(task, lane)
    if (depth < most) return knock.made ? most - 1 : most
    most = Math.max(most, depth)
    const slots = unit.eachSocket((name) => context.holder.socket(name)?.slots[lane])
    if (unit.adoption(number).isAccepting(context.now(), slots)) return most
    // One that is made counts at once: a fast program takes it before the next look. (On this machine the handshake
    // is over when connect() returns.)
    if (most === 0 && knock.makeWhenDue()) most = 1
    await pause(lookAfter(context.now() - began), task)
  }
}

/** The reason of the service will not do: under `overlap` it is that of the generation that serves. */
const wokenByConnection = ({ front }: Service, number: number): boolean =>
  front.kind === 'starting' &&
  front.generation.number === number &&
  front.generation.cause.code === 'first-connection'

/** A connection of devsock's own, that the program may be seen to take. */
class Knock implements Disposable {
  readonly #task: Task
  readonly #awaited: Awaited
  readonly #began: number
  #connection: Descriptor | null = null
  #lookAt: number

  constructor(task: Task, awaited: Awaited, began: number) {
    this.#task = task
    this.#awaited = awaited
    this.#began = began
    this.#lookAt = began + LOOK_MS
  }

  get made(): boolean {
    return this.#connection !== null
  }

  /** Whether it was made now. */
  makeWhenDue(): boolean {
    if (this.#connection !== null || !this.#isDue()) return false
    this.#connection = connectTo(this.#task, this.#awaited.lane)
    // A server that reads before it accepts again is through with it at once, and takes the next client.
    finishWriting(this.#connection)
    return true
  }

  /** Servers see an empty connection only where they cannot be seen waiting for one. */
  #isDue(): boolean {
    const { context, unit } = this.#task
    const { number } = this.#awaited
    if (!reports(unit.service, context.adopter)) return true
    const now = context.now()
    const { boundAt, handover } = unit.adoption(number)
    // Nothing is in the program that could tell when it waits.
    if (handover === 'kernel') return true
    if (now - this.#began > REPORT_MS || (boundAt !== null && now - boundAt > BOUND_MS)) return true
    if (boundAt !== null || now < this.#lookAt) return false
    this.#lookAt = now + LOOK_AGAIN_MS
    const leader = unit.leaders.get(number)
    return leader !== undefined && !isDynamic(leader)
  }

  [Symbol.dispose](): void {
    this.#connection?.close()
  }
}

/** Connects to the first socket's slot, whichever slot is steered to. */
export function connectTo({ unit, state }: Task, lane: number): Descriptor {
  const [first] = unit.service.sockets
  if (first === undefined) throw new Error('a worker has no slot to connect to')
  if (first.address.kind === 'unix') {
    // A slot that is not steered to is bound under a name beside the path (ARCHITECTURE.md, `fresh`).
    const { path } = first.address
    return probe({ path: state().steered === lane ? path : `${path}~` })
  }
  const host = first.address.kind === 'ip' ? reachable(first.address.host) : '127.0.0.1'
  return probe({ host, port: unit.port(first) ?? 0, slot: lane })
}

const reachable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host)
