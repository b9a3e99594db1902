/** The holder's protocol as far as a program of a generation needs it (ARCHITECTURE.md), over every holder in turn. */
import { connectSeqpacket, type Descriptor, type Seqpacket } from '../../index.ts'

export interface Reply {
  ok: boolean
  descriptors: Descriptor[]
}

export interface HolderEvents {
  /** Said hello: what the last holder knew has to be told again. True: this one has understood it. */
  connected(): Promise<boolean>
  /** The descriptors are the listener's from here. */
  event(what: string, argument: string, descriptors: Descriptor[]): void
}

/** Until the next holder, which takes over from one that died; afterwards there is none to wait for. */
const RETRY_MS = [20, 50, 100, 200, 400, 800, 1_600, 3_200, 5_000]

/** Never keeps the process alive, and never throws into it. */
export class HolderConnection {
  readonly #path: string
  readonly #events: HolderEvents
  readonly #pending: ((reply: Reply | null) => void)[] = []
  #seqpacket: Seqpacket | null = null
  #seq = 0
  #tries = 0
  #connected = false

  constructor(path: string, events: HolderEvents) {
    this.#path = path
    this.#events = events
    this.#connect()
  }

  /** The holder has answered the first message. */
  get connected(): boolean {
    return this.#connected
  }

  /** null: the connection is lost, and whether it was done is not known. The descriptors stay the caller's. */
  ask(verb: string, args: string[], descriptors: readonly Descriptor[] = []): Promise<Reply | null> {
    return new Promise((resolve) => {
      if (this.#seqpacket === null) return resolve(null)
      try {
        this.#seq += 1
        this.#seqpacket.send(Buffer.from([String(this.#seq), verb, ...args].join('\0')), descriptors)
        this.#pending.push(resolve)
      } catch (_) {
        // ETOOMANYREFS: other processes of this user have as many descriptors under way as there may be.
        resolve(null)
      }
    })
  }

  /** Connects again, as to another holder: what this one has given and heard no more of, it gives to others. */
  restart(): void {
    this.#seqpacket?.close()
    this.#lost()
  }

  #connect(): void {
    let seqpacket: Seqpacket
    try {
      seqpacket = connectSeqpacket(this.#path)
      this.#seqpacket = seqpacket
      seqpacket.start(
        (data, descriptors) => this.#receive(data.toString().split('\0'), descriptors),
        () => this.#lost(),
      )
      seqpacket.unref()
    } catch (_) {
      return this.#later()
    }
    const said = this.ask('hello', ['1', 'client']).then((reply) => {
      this.#connected = reply?.ok === true
      return this.#connected && this.#events.connected()
    })
    said.then(
      (understood) => {
        if (understood) this.#tries = 0
        // It may not know this generation yet, which another holder started.
        else if (seqpacket === this.#seqpacket) this.restart()
      },
      () => undefined,
    )
  }

  #lost(): void {
    this.#seqpacket = null
    this.#connected = false
    for (const resolve of this.#pending.splice(0)) resolve(null)
    this.#later()
  }

  #later(): void {
    const wait = RETRY_MS[this.#tries]
    this.#tries += 1
    if (wait !== undefined) setTimeout(() => this.#connect(), wait).unref()
  }

  #receive([seq, kind = '', argument = '']: string[], descriptors: Descriptor[]): void {
    if (seq === '!') this.#events.event(kind, argument, descriptors)
    else this.#pending.shift()?.({ ok: kind === 'ok', descriptors })
  }
}
