import { unlink } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { Command } from './command.ts'
import type { Rig } from './rig.ts'

/**
 * A program that sends one request after the other, in one or more workers, for as long as the file `going` is
 * there. It prints a line for each that is over, at once: `WORKER BODY`, with an exclamation mark in place of the
 * body where there is none.
 */
export class ClientProgram {
  readonly #rig: Rig
  readonly #command: Command

  private constructor(rig: Rig, command: Command) {
    this.#rig = rig
    this.#command = command
  }

  static async start(rig: Rig, argv: readonly string[]): Promise<ClientProgram> {
    await rig.write({ going: '' })
    return new ClientProgram(rig, rig.spawn(argv))
  }

  /** What each worker got, in order. */
  get answers(): Map<string, string[]> {
    const answers = new Map<string, string[]>()
    for (const line of this.#command.stdout.split('\n').slice(0, -1)) {
      const [worker = '', ...body] = line.split(' ')
      answers.set(worker, [...(answers.get(worker) ?? []), body.join(' ')])
    }
    return answers
  }

  /** Until every worker has got `count` answers more. */
  async progress(count: number): Promise<void> {
    await this.#rig.eventually(() => this.answers.size > 0)
    const before = this.answers
    const enough = () =>
      [...this.answers].every(([worker, got]) => got.length >= (before.get(worker)?.length ?? 0) + count)
    await this.#rig.eventually(enough, { deadline: 30_000, what: `${count} answers more for each worker` })
  }

  /** The same once all that has been printed until now is read. */
  async soFar(): Promise<Map<string, string[]>> {
    // Each is one look of the event loop at the pipe.
    await setImmediate()
    await setImmediate()
    return this.answers
  }

  async stop(): Promise<void> {
    await unlink(`${this.#rig.dir}/going`)
    const { code, stderr } = await this.#command.finished()
    if (code !== 0 || stderr !== '') throw new Error(`the client exited with ${code}: ${stderr}`)
  }
}
