import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Rig } from './rig.ts'

const run = promisify(execFile)

export interface TmuxOptions {
  columns?: number
  rows?: number
  env?: Record<string, string>
}

/** The screen comes after a daemon that may have to start beside other tests. */
const DEADLINE_MS = 60_000

/** No status line, so that the window is as high as asked for; what has ended stays to be looked at. */
const CONFIGURATION = `set -g status off
set -g remain-on-exit on
set -g remain-on-exit-format ''
set -g escape-time 0
set -g default-terminal screen-256color
`

/** A real terminal that a test types into and looks at: tmux, with a server of the test's own. */
export class Tmux implements AsyncDisposable {
  readonly #rig: Rig
  readonly #socket: string
  readonly #env: Record<string, string>
  #isClosed = false

  private constructor(rig: Rig, env: Record<string, string>) {
    this.#rig = rig
    this.#env = { ...rig.env, LANG: 'C.UTF-8', ...env }
    this.#socket = join(rig.root, 'tmux.sock')
  }

  /** Runs a command in it, in the project's folder. */
  static async start(rig: Rig, argv: string[], options: TmuxOptions = {}): Promise<Tmux> {
    const { columns = 80, rows = 24, env = {} } = options
    const tmux = new Tmux(rig, env)
    await tmux.#endWithTest()
    const configuration = join(rig.root, 'tmux.conf')
    await writeFile(configuration, CONFIGURATION)
    const size = ['-x', `${columns}`, '-y', `${rows}`]
    await tmux.#tmux('-f', configuration, 'new-session', '-d', ...size, '-c', rig.dir, '--', ...argv)
    return tmux
  }

  /** As the rig, which it has to end before: a helper may throw before it has handed this on. */
  async #endWithTest(): Promise<void> {
    if (!process.env.VITEST) return
    const { onTestFinished, TestRunner } = await import('vitest')
    if (TestRunner.getCurrentTest()) onTestFinished(() => this[Symbol.asyncDispose]())
  }

  /** Keys by tmux's names (`Enter`, `C-c`, `PageUp`), or characters. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys)
  }

  /** Text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', text)
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`)
  }

  /** What is to be seen; with `styled` its colours too. */
  async screen({ styled = false } = {}): Promise<string> {
    return this.#tmux('capture-pane', '-p', ...(styled ? ['-e'] : []))
  }

  /** Waits until the screen has that text. */
  shows(text: string | RegExp): Promise<string> {
    return this.until(
      (screen) => (typeof text === 'string' ? screen.includes(text) : text.test(screen)),
      `"${text}"`,
    )
  }

  /** Waits until the screen is like that. */
  until(matches: (screen: string) => boolean, what: string): Promise<string> {
    let last = ''
    const attempt = async (): Promise<string | null> => {
      last = await this.screen()
      return matches(last) ? last || ' ' : null
    }
    const dump = async (): Promise<string> => `--- screen\n${last}\n${await this.#rig.dump()}`
    return this.#rig.eventually(attempt, { what: `a screen with ${what}`, deadline: DEADLINE_MS, dump })
  }

  /** As programs set it. */
  async title(): Promise<string> {
    return this.#tmux('display-message', '-p', '#{pane_title}')
  }

  /** Its exit status, once it has ended; with the last screen. */
  async ended(): Promise<{ status: number; screen: string }> {
    const status = await this.#rig.eventually(
      async () => {
        const told = await this.#tmux('display-message', '-p', '#{pane_dead} #{pane_dead_status}')
        // tmux 3.3 misses the end of its child now and then; that of another makes it look.
        if (/^1 *$/m.test(told)) await this.#tmux('run-shell', 'true')
        return told.match(/^1 (\d+)/)?.[1]
      },
      { what: 'the end of what runs in the terminal', deadline: DEADLINE_MS, dump: () => this.screen() },
    )
    return { status: Number(status), screen: await this.#tmux('capture-pane', '-p', '-J') }
  }

  /** The terminal goes away, with SIGHUP to what runs in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const [pid, isDead] = (await this.#tmux('display-message', '-p', '#{pane_pid} #{pane_dead}'))
      .trim()
      .split(' ')
    await this.#tmux('kill-server')
    if (isDead === '1') return
    // It may have something to bring down.
    await this.#rig.eventually(() => !existsSync(`/proc/${pid}`), {
      what: 'the end of what ran',
      deadline: DEADLINE_MS,
    })
  }

  async #tmux(...args: string[]): Promise<string> {
    const { stdout } = await run('tmux', ['-S', this.#socket, ...args], { env: this.#env })
    return stdout
  }
}
