import { Agent } from 'node:http'
import type { Rig } from './rig.ts'
import { bump, nodeServer } from './servers.ts'
import { waiting } from './standby.ts'
import { type Usage, usageOf } from './usage.ts'

export interface Household {
  daemon: Usage
  holder: Usage
  processes: number
}

/** A service that is saved over and over, and what devsock itself uses meanwhile. */
export class Swaps implements Disposable {
  readonly #rig: Rig
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #version = 1

  private constructor(rig: Rig, port: number) {
    this.#rig = rig
    this.#port = port
  }

  static async start(rig: Rig): Promise<Swaps> {
    const port = await rig.port()
    await rig.write({ 'api.mjs': nodeServer() })
    await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'] } })
    await rig.up()
    await rig.request(port)
    return new Swaps(rig, port)
  }

  /** Saves, one after the other; each is answered by its own code on a new and on a kept connection. */
  async make(count: number): Promise<void> {
    for (let made = 0; made < count; made += 1) {
      this.#version += 1
      await this.#rig.edit('api.mjs', bump, made % 2 ? 'atomic' : 'truncate')
      await this.#rig.eventually(() => this.#answers(), { what: `v${this.#version}` })
      await this.#rig.eventually(() => this.#answers(this.#agent), { what: `v${this.#version}, kept` })
    }
  }

  /** When earlier generations have gone, and the next process waits. */
  async household(): Promise<Household> {
    const rig = this.#rig
    const { pid } = await rig.until('api', 'ready')
    const [daemon, holder] = [await rig.daemonPid(), await rig.holderPid()]
    const known = new Set([daemon, holder, pid, await waiting(rig)])
    const others = async () => (await rig.processes()).filter((each) => !known.has(each.pid))
    await rig.eventually(async () => (await others()).length === 0, {
      what: 'the end of earlier generations',
    })
    const processes = (await rig.processes()).length
    return { daemon: await usageOf(daemon), holder: await usageOf(holder), processes }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #answers(agent?: Agent): Promise<boolean> {
    return (await this.#rig.request(this.#port, '/', { agent })).body === `v${this.#version}`
  }
}
