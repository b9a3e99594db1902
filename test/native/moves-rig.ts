/** Programs of a real holder's generations that park and take connections as they are told (program.py). */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type HolderPeer, type TestHolder, withDeadline } from './holder-rig.ts'

const PROGRAM = fileURLToPath(new URL('program.py', import.meta.url))

export class Program implements Disposable {
  readonly #socket: Socket
  readonly #lines: AsyncIterator<string>

  readonly pid: number

  private constructor(pid: number, socket: Socket, lines: Interface) {
    this.pid = pid
    this.#socket = socket
    this.#lines = lines[Symbol.asyncIterator]()
  }

  /** Generation `id` on that slot, which has said hello. */
  static async start(holder: TestHolder, daemon: HolderPeer, id: string, slot: string): Promise<Program> {
    const path = join(holder.dir, `orders-${id}`)
    using server = Object.assign(createServer().listen(path), {
      [Symbol.dispose]: () => {
        server.close()
        rmSync(path, { force: true })
      },
    })
    const spec = holder.spec(id, {
      args: ['python3', PROGRAM, path],
      slots: [slot],
      env: { HOLDER: holder.socketPath },
    })
    const { fields } = await daemon.do('spawn', [], [spec])
    const connected = once(server, 'connection') as Promise<[Socket]>
    const [socket] = await withDeadline(connected, () => `${id}\n${holder.said()}`)
    const program = new Program(Number(fields[0]), socket, createInterface(socket))
    await program.do('hello')
    return program
  }

  async do<T = unknown>(action: string, ...args: unknown[]): Promise<T> {
    this.#socket.write(`${JSON.stringify([action, ...args])}\n`)
    const line = await withDeadline(this.#lines.next(), () => `the end of ${action}`)
    return JSON.parse(line.value) as T
  }

  /** `ok` or the errno, what else the reply says, and the descriptors that came with it. */
  async ask(verb: string, args: (string | number)[] = [], fds: number[] = []) {
    const [[kind = '', ...fields], received] = await this.do<[string[], number[]]>('ask', verb, args, fds)
    return { answer: kind === 'ok' ? 'ok' : (fields[0] ?? ''), fields, received }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
