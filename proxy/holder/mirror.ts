import type { Descriptor } from '../../native/index.ts'
import type { HolderEvent } from './event.ts'
import type { HeldGeneration, HeldSocket, HolderList } from './held.ts'
import type { GenerationSpec } from './spec.ts'

/** A generation as the next holder must be told of it. */
export type Mirrored = Pick<
  HeldGeneration,
  'id' | 'pid' | 'startTime' | 'invocation' | 'ready' | 'slots' | 'notify' | 'binds'
>

/**
 * What the holder has, as the daemon saw it: with duplicates of all slots and notify sockets, so that a holder
 * that dies can be replaced. Told of every answer and event in the order in which they came. Owns its
 * descriptors.
 */
export class Mirror implements Disposable {
  readonly sockets = new Map<string, HeldSocket>()
  readonly generations = new Map<string, Mirrored>()
  /** By key. What an earlier daemon armed is not here until it is armed again: its spec is not known. */
  readonly armed = new Map<string, GenerationSpec>()
  /** Asked for and not answered: the holder may have started it. By id. */
  readonly starting = new Map<string, GenerationSpec>()
  /** Slots with a `readable` to come. */
  readonly watched = new Map<string, { name: string; index: number }>()

  /** By the id of the generation. */
  readonly tripwires = new Map<string, { lane: number; files: Descriptor }>()

  /** A socket as it now is; its slots replace those that were known. */
  holds(socket: HeldSocket): void {
    for (const slot of this.sockets.get(socket.name)?.slots ?? []) slot.close()
    this.sockets.set(socket.name, socket)
  }

  fresh(name: string, index: number, slot: Descriptor): void {
    const socket = this.sockets.get(name)
    if (!socket) return slot.close()
    socket.slots[index]?.close()
    socket.slots[index] = slot
    if (!socket.order.includes(index)) socket.order.push(index)
  }

  steered(name: string, index: number): void {
    const socket = this.sockets.get(name)
    if (socket) socket.steered = index
  }

  dropped(name: string): void {
    for (const slot of this.sockets.get(name)?.slots ?? []) slot.close()
    this.sockets.delete(name)
    for (const [key, watch] of this.watched) if (watch.name === name) this.watched.delete(key)
  }

  watching(name: string, index: number): void {
    this.watched.set(`${name} ${index}`, { name, index })
  }

  /** Told again of one that it knows (a spawn that was repeated), it keeps what only it knows. */
  started({ notify, binds, ...generation }: Mirrored): void {
    const before = this.generations.get(generation.id)
    if (before?.pid === generation.pid) generation.ready ||= before.ready
    if (notify) before?.notify?.close()
    if (binds) before?.binds?.close()
    this.generations.set(generation.id, {
      ...generation,
      notify: notify ?? before?.notify ?? null,
      binds: binds ?? before?.binds ?? null,
    })
  }

  forgotten(id: string): void {
    const { notify, binds } = this.generations.get(id) ?? {}
    notify?.close()
    binds?.close()
    this.generations.delete(id)
    this.untripped(id)
  }

  /** `files` is null where it has some already. */
  tripwire(id: string, lane: number, files: Descriptor | null): void {
    const before = this.tripwires.get(id)
    if (files && before) before.files.close()
    const now = files ?? before?.files
    if (now) this.tripwires.set(id, { lane, files: now })
  }

  untripped(id: string): void {
    this.tripwires.get(id)?.files.close()
    this.tripwires.delete(id)
  }

  /** Takes the event's descriptors. */
  happened(event: HolderEvent, descriptors: Descriptor[]): void {
    const notify = (event.type === 'spawned' && descriptors.shift()) || null
    const binds = (event.type === 'spawned' && descriptors.shift()) || null
    for (const descriptor of descriptors) descriptor.close()
    switch (event.type) {
      case 'spawned': {
        const { invocation = '', slots = [] } = this.armed.get(event.key) ?? {}
        this.armed.delete(event.key)
        const { id, pid, startTime } = event
        return this.started({
          id,
          pid,
          startTime,
          invocation,
          slots: [...slots],
          ready: false,
          notify,
          binds,
        })
      }
      case 'spawn-failed':
        this.armed.delete(event.key)
        return
      case 'ready': {
        const generation = this.generations.get(event.id)
        if (generation) generation.ready = true
        return
      }
      case 'gone':
        return this.forgotten(event.id)
      case 'tripped':
        return this.untripped(event.id)
      case 'readable':
        this.watched.delete(`${event.socket} ${event.index}`)
        return
      case 'order': {
        const socket = this.sockets.get(event.socket)
        if (socket) socket.order = event.order
        return
      }
    }
  }

  /** Takes over what a holder says it has, and its descriptors; replaces all but what is armed. */
  listed({ sockets, generations }: HolderList): void {
    for (const name of [...this.sockets.keys()]) this.dropped(name)
    for (const id of [...this.generations.keys()]) this.forgotten(id)
    for (const socket of sockets) this.holds(socket)
    for (const { phase, ...generation } of generations) {
      this.started(generation)
      if (phase === 'gone') this.forgotten(generation.id)
    }
  }

  [Symbol.dispose](): void {
    this.listed({ sockets: [], generations: [], armed: [] })
    this.armed.clear()
    this.starting.clear()
  }
}
