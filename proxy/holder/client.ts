import { constants } from 'node:os'
import { connectSeqpacket, type Descriptor, memoryFile, type Seqpacket } from '../../native/index.ts'
import { decimal, decode, encodeRequest } from './codec.ts'
import { HolderError, HolderLost } from './error.ts'
import type { HolderEvent } from './event.ts'
import {
  type HeldGeneration,
  type HeldSocket,
  type HolderList,
  heldGeneration,
  heldSocket,
  malformed,
} from './held.ts'
import { encodeSlot, encodeSpec, type GenerationSpec } from './spec.ts'

/** Who gets a signal: `all` is the group and those of its descendants that left it. */
export type Scope = 'leader' | 'group' | 'all'

export interface Draining {
  /** Connections that the generation has parked so far. */
  moved: number
  /** Processes that park theirs. */
  pids: number[]
}

/** What arrived for one request. Nobody else knows these descriptors. */
interface Reply {
  fields: string[]
  descriptors: Descriptor[]
  items: { fields: string[]; descriptors: Descriptor[] }[]
}

interface Pending {
  seq: number
  items: Reply['items']
  resolve(reply: Reply): void
  reject(error: HolderError): void
}

export type OnEvent = (event: HolderEvent, descriptors: Descriptor[]) => void

/**
 * One connection to the holder, as its daemon. Requests go out at once, in the order of the calls, whether or
 * not earlier ones are answered: a swap's `fresh`, `steer` and `spawn` need no await between them. A refusal is
 * a rejection with {@link HolderError}, the loss of the connection one with {@link HolderLost}; neither is
 * "unhandled" while the caller awaits something else first. Descriptors in answers are the caller's.
 */
export class Holder implements Disposable {
  readonly #seqpacket: Seqpacket
  readonly #onEvent: OnEvent
  readonly #onClose: (error: HolderLost) => void
  readonly #pending: Pending[] = []
  #next = 1
  #lost: HolderLost | null = null
  #pid = 0

  private constructor(seqpacket: Seqpacket, onEvent: OnEvent, onClose: (error: HolderLost) => void) {
    this.#seqpacket = seqpacket
    this.#onEvent = onEvent
    this.#onClose = onClose
    seqpacket.start(
      (data, descriptors) => this.#receive(data, descriptors),
      (error) => this.#end(`the holder closed the connection${error ? ` (${error.message})` : ''}`),
    )
  }

  /** Connects and says hello. Rejects with the SystemError of the connect (ENOENT, ECONNREFUSED: none runs), or EBUSY: another daemon is connected. `onClose` comes once, but not after close(). */
  static async connect(
    path: string,
    onEvent: OnEvent,
    onClose: (error: HolderLost) => void,
  ): Promise<Holder> {
    return Holder.over(connectSeqpacket(path), onEvent, onClose)
  }

  /** The same over a connection that is there already; it becomes this object's. */
  static async over(
    seqpacket: Seqpacket,
    onEvent: OnEvent,
    onClose: (error: HolderLost) => void,
  ): Promise<Holder> {
    const holder = new Holder(seqpacket, onEvent, onClose)
    try {
      const { fields } = await holder.#request('hello', ['1', 'daemon'])
      const pid = decimal(fields[1] ?? '')
      if (fields[0] !== '1' || pid === null) throw malformed('hello', fields)
      holder.#pid = pid
      return holder
    } catch (error) {
      holder.close()
      throw error
    }
  }

  get pid(): number {
    return this.#pid
  }

  /** Why no request can be answered any more; null while they can. */
  get lost(): HolderLost | null {
    return this.#lost
  }

  /** EADDRINUSE when somebody has the address, EACCES for a port below 1024; slot 0 exists and is steered to. `mode` is of a unix path. */
  bind(
    name: string,
    address: string,
    { backlog, mode = 0o600 }: { backlog: number; mode?: number },
  ): Promise<{ port: number | null; slot: Descriptor }> {
    return this.#ask(
      'bind',
      [name, address, String(backlog), mode.toString(8)],
      ({ fields, descriptors }) => {
        const port = decimal(fields[0] ?? '')
        if (port === null) throw malformed('bind', fields)
        return { port: port || null, slot: one(descriptors, 'bind') }
      },
    )
  }

  /** `probe`: the path that reaches this slot, for a unix socket (a TCP slot is probed by its number). */
  fresh(name: string, index: number): Promise<{ probe: string | null; slot: Descriptor }> {
    return this.#ask('fresh', [name, String(index)], ({ fields, descriptors }) => ({
      probe: fields[0] || null,
      slot: one(descriptors, 'fresh'),
    }))
  }

  steer(name: string, index: number): Promise<void> {
    return this.#ask('steer', [name, String(index)], nothing)
  }

  /** An id that is known already starts nothing: the answer is what runs, or ran, under it. */
  spawn(
    spec: GenerationSpec,
  ): Promise<{ pid: number; startTime: number; notify: Descriptor | null; binds: Descriptor | null }> {
    return this.#askWithSpec('spawn', [], spec, ({ fields, descriptors }) => {
      const [pid, startTime] = fields.map(decimal)
      if (pid == null || startTime == null) throw malformed('spawn', fields)
      return { pid, startTime, notify: descriptors[0] ?? null, binds: descriptors[1] ?? null }
    })
  }

  /** Lets a generation that stands by go on, once and for all. EAGAIN: it has not come to wait; ESRCH: nobody waits. */
  call(id: string): Promise<void> {
    return this.#ask('call', [id], nothing)
  }

  /** Started by the first connection to one of its slots; replaces what was armed under the key. */
  arm(key: string, spec: GenerationSpec): Promise<void> {
    return this.#askWithSpec('arm', [key], spec, nothing)
  }

  /** False: nothing was armed any more (it may just have fired: a `spawned` event came before this). */
  disarm(key: string): Promise<boolean> {
    return this.#ask('disarm', [key], ({ fields }) => fields[0] === 'armed')
  }

  /** One `readable` event, when that slot has a connection to accept. */
  watch(name: string, index: number): Promise<void> {
    return this.#ask('watch', [name, String(index)], nothing)
  }

  /** How many processes it reached; null when nothing of the generation is left, or ever was. */
  signal(id: string, signal: NodeJS.Signals | number, scope: Scope): Promise<number | null> {
    const number = typeof signal === 'number' ? signal : constants.signals[signal]
    const count = this.#ask('signal', [id, String(number), scope], ({ fields }) => decimal(fields[0] ?? ''))
    return expected(count.catch(goneIsNull))
  }

  /**
   * From the moment at which `files` is readable (native `tripwire`), connections go to that lane, and the generation
   * drains: once, and told by `tripped`. Without files it is the lane of the one there is that becomes another.
   */
  tripwire(id: string, lane: number, files: Descriptor | null): Promise<void> {
    return this.#ask('tripwire', [id, String(lane)], nothing, files ? [files] : [])
  }

  /** A changed file is nothing to that generation any more. */
  untrip(id: string): Promise<void> {
    return this.#ask('tripwire', [id], nothing)
  }

  /** Pids of descendants that left the group. */
  strays(id: string): Promise<number[]> {
    return this.#ask('strays', [id], ({ fields }) => fields.map(decimal).filter((pid) => pid !== null))
  }

  /** Idempotent, as `drop`. EBUSY while anything of it is left. */
  forget(id: string): Promise<void> {
    return expected(this.#ask('forget', [id], nothing).catch(absentIsFine))
  }

  /** Passes on what waits in a slot that nobody serves, to the steered one; how many. */
  relay(name: string, index: number): Promise<number> {
    return this.#ask('relay', [name, String(index)], ({ fields }) => decimal(fields[0] ?? '') ?? 0)
  }

  /** Parked connections that have asked for something, at most 64; the next call tells that these have arrived. */
  take(name: string): Promise<Descriptor[]> {
    return this.#ask('take', [name], ({ descriptors }) => descriptors)
  }

  /** Passes on what is parked to the steered slot, unless a program of its generation takes it itself; how many. */
  pass(name: string): Promise<number> {
    return this.#ask('pass', [name], ({ fields }) => decimal(fields[0] ?? '') ?? 0)
  }

  /** Asks the programs of a generation that can to park their connections; null where it is not known. Idempotent. */
  drain(id: string): Promise<Draining | null> {
    const draining = this.#ask('drain', [id], ({ fields }): Draining => {
      const [moved = 0, ...pids] = fields.map(decimal).filter((number) => number !== null)
      return { moved, pids }
    })
    return expected(draining.catch(goneIsNull))
  }

  fetch(name: string): Promise<HeldSocket> {
    return this.#ask('fetch', [name], ({ fields, descriptors }) => heldSocket([name, ...fields], descriptors))
  }

  list(): Promise<HolderList> {
    return this.#ask('list', [], ({ items }) => {
      const list: HolderList = { sockets: [], generations: [], armed: [] }
      for (const { fields, descriptors } of items) {
        const [what = '', ...rest] = fields
        if (what === 'socket') list.sockets.push(heldSocket(rest, descriptors))
        else if (what === 'generation') list.generations.push(heldGeneration(rest, descriptors))
        else if (what === 'armed') list.armed.push(rest[0] ?? '')
      }
      return list
    })
  }

  /** Gives a holder the slots of a socket that another one held, in the order of their numbers. */
  store({ name, address, port, steered, order, backlog, mode, slots }: HeldSocket): Promise<void> {
    const numbers = [String(port ?? 0), String(steered), order.join(','), String(backlog), mode.toString(8)]
    return this.#ask('store', [name, address, ...numbers], nothing, slots)
  }

  /** Gives it a generation that runs, or of which something does; ESRCH when nothing is left. */
  adopt(
    of: Pick<
      HeldGeneration,
      'id' | 'pid' | 'startTime' | 'invocation' | 'ready' | 'slots' | 'notify' | 'binds'
    >,
  ): Promise<void> {
    const { id, pid, startTime, invocation, ready, slots, notify, binds } = of
    const args = [id, String(pid), String(startTime), invocation, ready ? '1' : '0', ...slots.map(encodeSlot)]
    const descriptors = [notify, binds].filter((each) => each !== null)
    return this.#ask('adopt', args, nothing, descriptors)
  }

  /** Idempotent: what is not held, or not any more, is dropped already. */
  drop(name: string): Promise<void> {
    return expected(this.#ask('drop', [name], nothing).catch(absentIsFine))
  }

  /** Ends every generation and releases everything. The holder ends when this process has. */
  shutdown(): Promise<void> {
    return this.#ask('shutdown', [], nothing)
  }

  /** Idempotent. The holder goes on; what is unanswered is rejected with {@link HolderLost}. */
  close(): void {
    if (this.#lost) return
    this.#lost = new HolderLost('the connection to the holder was closed')
    this.#seqpacket.close()
    this.#rejectAll(this.#lost)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #askWithSpec<T>(verb: string, args: string[], spec: GenerationSpec, read: (reply: Reply) => T): Promise<T> {
    let file: Descriptor
    try {
      file = memoryFile(`devsock ${spec.id}`.slice(0, 200), encodeSpec(spec))
    } catch (error) {
      return expected(Promise.reject(asHolderError(error)))
    }
    // Sent, or duplicated for later, when #ask returns.
    using _file = file
    return this.#ask(verb, args, read, [file])
  }

  #ask<T>(
    verb: string,
    args: string[],
    read: (reply: Reply) => T,
    descriptors: readonly Descriptor[] = [],
  ): Promise<T> {
    return expected(
      this.#request(verb, args, descriptors).then((reply) => {
        try {
          return read(reply)
        } catch (error) {
          closeAll(reply)
          throw error
        }
      }),
    )
  }

  #request(verb: string, args: string[], descriptors: readonly Descriptor[] = []): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost)
      const seq = this.#next
      try {
        this.#seqpacket.send(encodeRequest(seq, verb, args), descriptors)
      } catch (error) {
        return reject(asHolderError(error))
      }
      this.#next += 1
      this.#pending.push({ seq, items: [], resolve, reject })
    })
  }

  #receive(data: Buffer, descriptors: Descriptor[]): void {
    const incoming = decode(data)
    if (incoming.kind === 'unknown') return this.#garbled(incoming.what, descriptors)
    if (incoming.kind === 'event') return this.#onEvent(incoming.event, descriptors)
    const pending = this.#pending[0]
    if (pending?.seq !== incoming.seq)
      return this.#garbled(`an answer to request ${incoming.seq}`, descriptors)
    if (incoming.kind === 'item') {
      pending.items.push({ fields: incoming.fields, descriptors })
      return
    }
    this.#pending.shift()
    const { items } = pending
    if (incoming.kind === 'ok') return pending.resolve({ fields: incoming.fields, descriptors, items })
    closeAll({ descriptors, items })
    pending.reject(incoming.error)
  }

  /** Two versions that do not understand each other, or a bug: nothing that comes after it can be trusted. */
  #garbled(what: string, descriptors: Descriptor[]): void {
    closeAll({ descriptors, items: [] })
    this.#seqpacket.close()
    this.#end(`the holder sent what is not understood: ${what}`)
  }

  #end(message: string): void {
    if (this.#lost) return
    this.#lost = new HolderLost(message)
    this.#rejectAll(this.#lost)
    this.#onClose(this.#lost)
  }

  #rejectAll(error: HolderLost): void {
    for (const pending of this.#pending.splice(0)) {
      closeAll({ descriptors: [], items: pending.items })
      pending.reject(error)
    }
  }
}

/** A promise whose rejection nobody need be waiting for yet: pipelined requests are awaited one after the other. */
function expected<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

const nothing = (): void => undefined

const closeAll = ({ descriptors, items }: Pick<Reply, 'descriptors' | 'items'>): void => {
  for (const descriptor of [descriptors, ...items.map((item) => item.descriptors)].flat()) descriptor.close()
}

/** Descriptors are lost on the way where this process has no number left for them. */
function one(descriptors: Descriptor[], verb: string): Descriptor {
  const [descriptor, ...more] = descriptors
  for (const other of more) other.close()
  if (descriptor) return descriptor
  throw new HolderError('EMFILE', 'recvmsg', `the slot of ${verb} did not arrive: no file descriptor is free`)
}

function asHolderError(error: unknown): HolderError {
  if (error instanceof HolderError) return error
  if (error instanceof Error && 'code' in error && 'syscall' in error) {
    return new HolderError(String(error.code), String(error.syscall), error.message)
  }
  throw error
}

function absentIsFine(error: unknown): void {
  if (!(error instanceof HolderError && error.code === 'ENOENT')) throw error
}

function goneIsNull(error: unknown): null {
  if (error instanceof HolderError && (error.code === 'ESRCH' || error.code === 'ENOENT')) return null
  throw error
}
