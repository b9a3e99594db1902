import { setTimeout as pause } from 'node:timers/promises'
import { type Descriptor, onReadable, pidfdExited, pidfdOpen } from '../../native/index.ts'
import { type Draining, Holder, type Scope } from './client.ts'
import { type HolderError, HolderLost } from './error.ts'
import type { HolderEvent } from './event.ts'
import type { HeldSocket, HolderList } from './held.ts'
import { Mirror } from './mirror.ts'
import { type HolderProgram, holderSocket, refill, startHolder } from './refill.ts'
import type { GenerationSpec } from './spec.ts'

export { HolderError, HolderLost } from './error.ts'
export type { HolderEvent } from './event.ts'
export type { HeldGeneration, HeldSocket, HolderList } from './held.ts'
export type { GenerationSpec } from './spec.ts'

export interface LinkOptions extends HolderProgram {
  onEvent(event: HolderEvent): void
  /** One line on what became of the holder: that it died, what the next one has. */
  report(line: string): void
  /**
   * The link is of no use any more, though the holder lives (it closed the connection) or will not start. The
   * daemon should end: the holder starts it again.
   */
  onLost(error: HolderLost): void
}

interface Job {
  send(holder: Holder): void
  reject(error: HolderError): void
}

/** A holder that was killed closes its sockets a moment before its end can be seen. */
const END_DEADLINE_MS = 2_000
const RETRY_MS = [0, 100, 200, 400, 800, 1_600, 3_200]

/**
 * The daemon's holder, whichever process it is now. When it dies this starts another, gives it all that the
 * daemon has duplicates of, and sends again, in their order, the requests that were not answered; calls made
 * meanwhile wait behind those.
 *
 * What is sent again may have been done before: `bind`, `fresh`, `steer`, `arm`, `disarm`, `watch`, `store`,
 * `drop` and `forget` come to the same done twice. A `spawn` does too: what the dead holder had started is found
 * and adopted first, and an id that runs is not started again (a process that was forked but not yet exec'd at
 * that moment is missed). A `signal` may arrive twice.
 */
export class HolderLink implements Disposable {
  readonly #options: LinkOptions
  readonly #mirror = new Mirror()
  /** Unanswered, in the order of the calls. */
  readonly #jobs = new Set<Job>()
  #holder: Holder | null = null
  #process: Descriptor | null = null
  #ended: HolderLost | null = null

  private constructor(options: LinkOptions) {
    this.#options = options
  }

  /** Connects to the holder that runs, and takes in what it has (see {@link list}). Rejects where none runs. */
  static async open(options: LinkOptions): Promise<HolderLink> {
    const link = new HolderLink(options)
    const path = holderSocket(options.runtimeDir)
    link.#use(await Holder.connect(path, link.#happened, link.#closed))
    try {
      await link.list()
    } catch (error) {
      link.close()
      throw error
    }
    return link
  }

  /** 0 while there is none. */
  get holderPid(): number {
    return this.#holder?.pid ?? 0
  }

  /** What is held under that name. Its slots are the link's: good until the next `fresh` or `drop`. */
  socket(name: string): Readonly<HeldSocket> | null {
    return this.#mirror.sockets.get(name) ?? null
  }

  /** EADDRINUSE when somebody has the address. The slot is the link's, as in {@link socket}. */
  bind(
    name: string,
    address: string,
    { backlog, mode = 0o600 }: { backlog: number; mode?: number },
  ): Promise<{ port: number | null; slot: Descriptor }> {
    return this.#call(
      (holder) => holder.bind(name, address, { backlog, mode }),
      ({ port, slot }) => {
        this.#mirror.holds({ name, address, port, steered: 0, order: [0], backlog, mode, slots: [slot] })
      },
    )
  }

  fresh(name: string, index: number): Promise<{ probe: string | null; slot: Descriptor }> {
    return this.#call(
      (holder) => holder.fresh(name, index),
      ({ slot }) => this.#mirror.fresh(name, index, slot),
    )
  }

  steer(name: string, index: number): Promise<void> {
    return this.#call(
      (holder) => holder.steer(name, index),
      () => this.#mirror.steered(name, index),
    )
  }

  async spawn(spec: GenerationSpec): Promise<{ pid: number; startTime: number }> {
    const { id, invocation, slots } = spec
    this.#mirror.starting.set(id, spec)
    try {
      const { pid, startTime } = await this.#call(
        (holder) => holder.spawn(spec),
        (started) => {
          this.#mirror.started({ ...started, id, invocation, slots: [...slots], ready: false })
        },
      )
      return { pid, startTime }
    } finally {
      this.#mirror.starting.delete(id)
    }
  }

  arm(key: string, spec: GenerationSpec): Promise<void> {
    return this.#call(
      (holder) => holder.arm(key, spec),
      () => this.#mirror.armed.set(key, spec),
    )
  }

  disarm(key: string): Promise<boolean> {
    return this.#call(
      (holder) => holder.disarm(key),
      () => this.#mirror.armed.delete(key),
    )
  }

  watch(name: string, index: number): Promise<void> {
    return this.#call(
      (holder) => holder.watch(name, index),
      () => this.#mirror.watching(name, index),
    )
  }

  signal(id: string, signal: NodeJS.Signals | number, scope: Scope): Promise<number | null> {
    return this.#call((holder) => holder.signal(id, signal, scope))
  }

  call(id: string): Promise<void> {
    return this.#call((holder) => holder.call(id))
  }

  /** A generation's tripwire (see {@link Holder.tripwire}); `files` makes one where it has none yet. */
  tripwire(id: string, lane: number, files: () => Descriptor): Promise<void> {
    const made = this.#mirror.tripwires.has(id) ? null : files()
    // Known before it is answered: it may trip before that.
    this.#mirror.tripwire(id, lane, made)
    return this.#call((holder) => holder.tripwire(id, lane, made))
  }

  untrip(id: string): Promise<void> {
    this.#mirror.untripped(id)
    return this.#call((holder) => holder.untrip(id))
  }

  strays(id: string): Promise<number[]> {
    return this.#call((holder) => holder.strays(id))
  }

  forget(id: string): Promise<void> {
    return this.#call(
      (holder) => holder.forget(id),
      () => this.#mirror.forgotten(id),
    )
  }

  relay(name: string, index: number): Promise<number> {
    return this.#call((holder) => holder.relay(name, index))
  }

  take(name: string): Promise<Descriptor[]> {
    return this.#call((holder) => holder.take(name))
  }

  pass(name: string): Promise<number> {
    return this.#call((holder) => holder.pass(name))
  }

  drain(id: string): Promise<Draining | null> {
    return this.#call((holder) => holder.drain(id))
  }

  /** What the holder has. The descriptors in it are the link's. */
  list(): Promise<HolderList> {
    return this.#call(
      (holder) => holder.list(),
      (list) => this.#mirror.listed(list),
    )
  }

  /** Takes in what the holder has of one socket: descriptors that once did not arrive (EMFILE) do now. */
  async fetch(name: string): Promise<void> {
    await this.#call(
      (holder) => holder.fetch(name),
      (socket) => this.#mirror.holds(socket),
    )
  }

  drop(name: string): Promise<void> {
    return this.#call(
      (holder) => holder.drop(name),
      () => this.#mirror.dropped(name),
    )
  }

  /** Ends every generation and releases everything; nothing is started in its place. */
  shutdown(): Promise<void> {
    return this.#call(
      (holder) => holder.shutdown(),
      () => this.close(),
    )
  }

  /** Idempotent. The holder goes on with all that it has. */
  close(): void {
    this.#end(new HolderLost('the link to the holder was closed'))
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #call<T>(send: (holder: Holder) => Promise<T>, done: (value: T) => void = () => undefined): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      const job: Job = {
        reject,
        send: (holder) => {
          send(holder).then(
            (value) => {
              this.#jobs.delete(job)
              done(value)
              resolve(value)
            },
            (error: unknown) => {
              if (error instanceof HolderLost && !this.#ended) return // it stays, for the next holder
              this.#jobs.delete(job)
              reject(error)
            },
          )
        },
      }
      this.#jobs.add(job)
      if (this.#holder) job.send(this.#holder)
    })
    // Pipelined calls are awaited one after the other: the second may fail before anybody waits for it.
    promise.catch(() => undefined)
    return promise
  }

  #happened = (event: HolderEvent, descriptors: Descriptor[]): void => {
    this.#mirror.happened(event, descriptors)
    if (event.type === 'order' && this.socket(event.socket)?.port === null) this.#fetch(event.socket)
    this.#options.onEvent(event)
  }

  /** A unix listener that was shut down cannot listen again: the slot is another socket now. */
  #fetch(name: string): void {
    this.fetch(name).catch((error: unknown) =>
      this.#options.report(`${name} was shut down, and is not held again: ${String(error)}`),
    )
  }

  #use(holder: Holder): void {
    this.#process = pidfdOpen(holder.pid)
    this.#holder = holder
  }

  /** While a holder is being filled it is not this.#holder yet, and its end is seen by those who fill it. */
  #closed = (error: HolderLost): void => {
    if (!this.#holder || this.#ended) return
    const process = this.#process
    this.#holder = null
    this.#process = null
    this.#replace(error, process).catch((failure: unknown) => {
      this.#options.report(`no holder could be started: ${String(failure)}`)
      const lost = new HolderLost(String(failure))
      this.#end(lost)
      this.#options.onLost(lost)
    })
  }

  async #replace(error: HolderLost, process: Descriptor | null): Promise<void> {
    const died = performance.now()
    if (process && !(await endOf(process))) throw error
    const holder = await this.#start()
    if (!holder) return
    const { sockets, generations, armed } = this.#mirror
    const has = `${sockets.size} sockets, ${generations.size} generations, ${armed.size} armed`
    const ms = Math.round(performance.now() - died)
    this.#options.report(`the holder died; ${holder.pid} took over after ${ms} ms: ${has}`)
    for (const job of [...this.#jobs]) job.send(holder)
  }

  /** Tries until one is there and filled. Null: the link was closed meanwhile. */
  async #start(): Promise<Holder | null> {
    for (const wait of RETRY_MS) {
      await pause(wait)
      if (this.#ended) return null
      let holder: Holder | null = null
      try {
        holder = await startHolder(this.#options, this.#happened, this.#closed)
        const tell = (missed: HolderEvent): void => this.#happened(missed, [])
        await refill(holder, this.#mirror, tell, this.#options.report)
        if (holder.lost) throw holder.lost
        if (this.#ended) {
          holder.close()
          return null
        }
        this.#use(holder)
        return holder
      } catch (error) {
        this.#options.report(`the next holder failed: ${error instanceof Error ? error.message : error}`)
        // Two that hold the same ports must never be: this one goes before another is tried.
        if (holder) kill(holder)
      }
    }
    throw new Error('gave up')
  }

  #end(error: HolderLost): void {
    if (this.#ended) return
    this.#ended = error
    this.#holder?.close()
    this.#holder = null
    this.#process?.close()
    this.#process = null
    for (const job of this.#jobs) job.reject(error)
    this.#jobs.clear()
    this.#mirror[Symbol.dispose]()
  }
}

function kill(holder: Holder): void {
  holder.close()
  try {
    process.kill(holder.pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Whether the process ends in time; closes the handle. */
async function endOf(pidfd: Descriptor): Promise<boolean> {
  using handle = pidfd
  return await new Promise<boolean>((resolve) => {
    const watch = onReadable(handle, () => finish())
    const finish = (): void => {
      clearTimeout(timer)
      watch.close()
      resolve(pidfdExited(handle))
    }
    const timer = setTimeout(finish, END_DEADLINE_MS)
  })
}
