import { connections, type SystemError } from '../../native/index.ts'
import type { Address } from '../config/types.ts'
import { isTaken } from './conflict.ts'
import { ownersOf } from './listeners.ts'
import { unixListener } from './proc-net.ts'
import { ProcessHandle } from './process-handle.ts'

/** Milliseconds between two looks. One dump of the listeners (sock_diag(7)) takes well below one. */
const LOOK_MS = 300

/**
 * Calls back once, when nobody listens any more where `address` wants to be on `port`. An owner that ends is
 * noticed at once (its pidfd), one that merely closes its socket at the next look. What is free may be taken again
 * before the callback binds it: then the caller waits again.
 */
export function whenFree(address: Address, port: number, callback: () => void): Disposable {
  const waiter = new Waiter(address, port, callback)
  waiter.start()
  return waiter
}

class Waiter implements Disposable {
  readonly #address: Address
  readonly #port: number
  readonly #callback: () => void
  readonly #handles: ProcessHandle[] = []
  readonly #exits: Disposable[] = []
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #over = false

  constructor(address: Address, port: number, callback: () => void) {
    this.#address = address
    this.#port = port
    this.#callback = callback
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref()
    void this.#watchOwners()
      .catch(unlessBug)
      .finally(() => this.#look())
  }

  async #watchOwners(): Promise<void> {
    if (this.#address.kind === 'unix') return
    for (const { pid } of await ownersOf(this.#port)) {
      // No process, or one that went before its handle was opened: the timer sees it.
      const handle = pid > 0 && !this.#over ? ProcessHandle.open(pid) : null
      if (!handle) continue
      this.#handles.push(handle)
      this.#exits.push(handle.onExit(() => void this.#look()))
    }
  }

  async #look(): Promise<void> {
    if (this.#over || this.#looking) return
    this.#looking = true
    const free = await this.#isFree().catch(unlessBug)
    this.#looking = false
    if (!free || this.#over) return
    this[Symbol.dispose]()
    this.#callback()
  }

  async #isFree(): Promise<boolean> {
    if (this.#address.kind === 'unix') return (await unixListener(this.#address.path)) === null
    const listeners = connections({ localPort: this.#port, states: 'listening' })
    return !isTaken(
      this.#address,
      listeners.map(({ localAddress }) => ({ address: localAddress })),
    )
  }

  [Symbol.dispose](): void {
    this.#over = true
    clearInterval(this.#timer)
    for (const exit of this.#exits.splice(0)) exit[Symbol.dispose]()
    for (const handle of this.#handles.splice(0)) handle.close()
  }
}

/** Out of descriptors, say: this look has told nothing, the next one may. */
function unlessBug(error: SystemError): false {
  if (error.syscall === undefined) throw error
  return false
}
