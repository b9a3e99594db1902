import { subscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { nextTick } from 'node:process'
import { type Descriptor, onReadable, type Watch } from '../../index.ts'
import { HolderConnection } from './holder.ts'
import type { ServerSocket } from './internals.ts'
import { quietly } from './quietly.ts'
import type { Served } from './served.ts'

/** Descriptors in one message; the next waits for its answer, so that few of them are under way (ETOOMANYREFS). */
const BATCH = 64
const SEND_AGAIN_MS = 20
/** Between two looks at what no event tells: a request that has been read to its end after its answer. */
const LOOK_MS = 25

/** Carries connections between the servers of this process and the holder. */
export class Mover {
  readonly #holder: HolderConnection
  readonly #servers = new Map<Server, Served>()
  /** Positions that this holder knows of. */
  readonly #registered = new Set<number>()
  /** Let go of and not yet with the holder, by position. */
  readonly #leaving = new Map<number, Descriptor[]>()
  /** Positions with something to take. */
  readonly #offered = new Set<number>()
  /** While nothing of what this process was started from has changed. */
  #tripwire: Watch | null = null
  #sending = false
  #taking = false
  #draining = false

  constructor(path: string) {
    this.#holder = new HolderConnection(path, {
      connected: () => {
        this.#registered.clear()
        return this.#register()
      },
      event: (what, argument, descriptors) => {
        if (what === 'drain') this.#drain()
        if (what === 'tripwire') quietly(() => this.#await(descriptors[0]))
        for (const descriptor of descriptors) descriptor.close()
        if (what !== 'parked') return
        this.#offered.add(Number(argument))
        quietly(() => this.#take())
      },
    })
  }

  add(served: Served): void {
    this.#servers.set(served.server, served)
    served.server.once('close', () => this.#servers.delete(served.server))
    if (this.#draining) served.drain()
    if (this.#holder.connected) quietly(() => this.#register())
  }

  /** A connection for the next generation; the descriptor is the mover's from here. */
  move(position: number, connection: Descriptor): void {
    const leaving = this.#leaving.get(position) ?? []
    this.#leaving.set(position, leaving)
    // Those of one turn go together.
    if (leaving.push(connection) === 1) nextTick(quietly, () => this.#send())
  }

  /** True: the holder knows them all. */
  async #register(): Promise<boolean> {
    for (const { position, accepts } of this.#servers.values()) {
      if (this.#registered.has(position) || !(accepts || this.#draining)) continue
      this.#registered.add(position)
      const reply = await this.#holder.ask('receive', [String(position)])
      if (!reply?.ok) return false
    }
    quietly(() => this.#send())
    return true
  }

  async #send(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    for (const [position, leaving] of this.#leaving) {
      while (leaving.length > 0) {
        const batch = leaving.slice(0, BATCH)
        const reply = await this.#holder.ask('park', [String(position)], batch)
        if (reply === null) {
          this.#sending = false
          setTimeout(quietly, SEND_AGAIN_MS, () => this.#send()).unref()
          return
        }
        // Refused or not: it has them, or nobody wants them.
        for (const sent of leaving.splice(0, batch.length)) sent.close()
      }
    }
    this.#sending = false
  }

  async #take(): Promise<void> {
    if (this.#taking) return
    this.#taking = true
    for (const position of this.#offered) {
      this.#offered.delete(position)
      const ask = () => this.#holder.ask('take', [String(position)])
      let reply = this.#server(position) && (await ask())
      while (reply && reply.descriptors.length > 0) {
        // Asked again before anything is done: that tells that these have arrived.
        const more = ask()
        for (const connection of reply.descriptors) this.#accept(position, connection)
        reply = await more
      }
      // Nobody here serves it any more: the holder offers it to others.
      if (!this.#server(position)) this.#holder.restart()
    }
    this.#taking = false
  }

  #accept(position: number, connection: Descriptor): void {
    const server = this.#server(position)
    if (server) quietly(() => server.accept(connection.release()))
    else connection.close()
  }

  #server(position: number): Served | undefined {
    return [...this.#servers.values()].find((each) => each.position === position && each.accepts)
  }

  /**
   * Drains at the save itself. The kernel lists what is readable in the order in which it became so: the files come
   * before a request that was sent after the save.
   */
  #await(files: Descriptor | undefined): void {
    this.#tripwire?.close()
    this.#tripwire = null
    if (files === undefined) return
    this.#tripwire = onReadable(files, () => {
      this.#tripwire = null
      // Without a holder nobody else could take what is let go of.
      if (this.#holder.connected) quietly(() => this.#drain())
    })
    this.#tripwire.unref()
  }

  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    const all = [...this.#servers.values()]
    for (const served of all) quietly(() => served.drain())
    subscribe('http.server.response.finish', (message) => {
      const { server, socket } = message as { server: Server; socket: ServerSocket }
      // Node lets go of the response after this.
      nextTick(quietly, () => this.#servers.get(server)?.settle(socket))
    })
    subscribe('http.server.request.start', (message) => {
      const { server, response } = message as { server: Server; response: ServerResponse }
      quietly(() => this.#servers.get(server)?.onLateRequest(response))
    })
    setInterval(() => {
      for (const served of this.#servers.values()) quietly(() => served.drain())
    }, LOOK_MS).unref()
  }
}
