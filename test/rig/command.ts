import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { signal } from './processes.ts'

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** stdout as one JSON document. */
  json(): unknown
}

/** A child in a process group of its own, with what it has said so far; disposal ends the whole group. */
export class Command implements AsyncDisposable {
  readonly child: ChildProcess
  readonly name: string
  stdout = ''
  stderr = ''
  readonly #finished: Promise<Finished>

  constructor(argv: readonly string[], cwd: string, env: Record<string, string>) {
    const [file = '', ...args] = argv
    this.name = argv.join(' ')
    this.child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // `close` waits for the pipes, so it would also wait for a daemon that kept them: that is a fault which
    // the deadline of `finished` shows.
    this.#finished = once(this.child, 'close').then(([code, name]) => {
      const { stdout, stderr } = this
      return { code, signal: name, stdout, stderr, json: () => JSON.parse(stdout) }
    })
    // Nobody may ask for the end of a command that could not be started; `finished` still rejects.
    this.#finished.catch(() => undefined)
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} was not started`)
    return this.child.pid
  }

  /** Its end; past the deadline (ms) the group is killed and what it said is in the error. */
  async finished(deadline = 30_000): Promise<Finished> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        if (this.child.pid !== undefined) signal(-this.child.pid, 'SIGKILL')
        reject(new Error(`${this.name} did not end in ${deadline} ms\n${this.transcript()}`))
      }, deadline)
    })
    try {
      return await Promise.race([this.#finished, late])
    } finally {
      clearTimeout(timer)
    }
  }

  transcript(): string {
    return `--- ${this.name}: stdout\n${this.stdout}--- stderr\n${this.stderr}`
  }

  kill(name: NodeJS.Signals = 'SIGTERM'): boolean {
    return this.child.pid !== undefined && signal(-this.child.pid, name)
  }

  /** SIGTERM to the group, SIGKILL two seconds later. Does not wait for descendants that kept the pipes. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      this.kill('SIGTERM')
      const grace = setTimeout(() => this.kill('SIGKILL'), 2000)
      await exited
      clearTimeout(grace)
    }
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}
