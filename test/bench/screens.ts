import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { FLOOD } from '../rig/flood.ts'
import { pixelLatencies } from '../rig/pixel-latency.ts'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'
import { cpuOf } from './cpu.ts'
import { median, ms, type Row } from './measure.ts'

const ROUNDS = 20
const SECONDS = 10
/** What a start leaves to be done afterwards is over by then, ms. */
const SETTLE = 3_000
/** Milliseconds until a key, or a start, has to show something. */
const DEADLINE = 20_000

/** How soon the two screens show what happens, and what a busy log costs. */
export async function screens(): Promise<Row[]> {
  return [...(await terminal()), await dashboard()]
}

async function terminal(): Promise<Row[]> {
  const keys: Row[] = []
  for (const [what, source] of [
    ['quiet', 'setInterval(() => {}, 1e6)'],
    ['10,000 lines a second', FLOOD],
  ] as const) {
    await using rig = await Rig.create({ files: { 'server.mjs': source } })
    await rig.configure({ server: { command: ['node', 'server.mjs'], listen: false } })
    await using screen = await Screen.open(rig)
    await rig.until('server', 'ready')
    await pause(SETTLE)
    const took: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      took.push(await screen.press('?', 'select a service'))
      await screen.press('?', 'all services')
    }
    const latency = median(took)
    keys.push(row(`Terminal, ${what}: key to screen`, ms(latency), latency, '≤ 100 ms', latency <= 100))
    if (source !== FLOOD) continue
    const cpu = await cpuOf([screen.pid], SECONDS)
    keys.push(row(`Terminal, ${what}: CPU`, `${cpu.toFixed(1)} %`, cpu, '≤ 15 %', cpu <= 15))
  }
  return keys
}

async function dashboard(): Promise<Row> {
  await using rig = await Rig.create({ files: { 'web.mjs': nodeServer() } })
  await rig.configure({ web: { command: ['node', 'web.mjs'], listen: await rig.port(), start: 'eager' } })
  await rig.up()
  await rig.until('web', 'ready')
  await using browser = await launchBrowser()
  await using page = await DashboardPage.open(browser, rig)
  const latency = median(await pixelLatencies(page, rig, 'web', ROUNDS))
  return row('Dashboard: event to pixel', ms(latency), latency, '≤ 150 ms', latency <= 150)
}

const row = (what: string, devsock: string, value: number, goal: string, met: boolean): Row => ({
  what,
  devsock,
  against: '',
  value,
  goal,
  met,
})

/** `devsock up` on a terminal of 200×60, which script(1) makes: what it writes comes at once, unlike from tmux. */
class Screen implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  #text = ''
  #onText: () => void = () => {}

  private constructor(rig: Rig) {
    const command = `stty cols 200 rows 60; exec ${rig.argv('up').join(' ')}`
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: rig.dir,
      env: { ...rig.env, TERM: 'xterm-256color', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
      this.#onText()
    })
  }

  static async open(rig: Rig): Promise<Screen> {
    const screen = new Screen(rig)
    await screen.#shows('? help')
    return screen
  }

  /** Of `devsock up` itself. */
  get pid(): number {
    const { pid } = this.#child
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
  }

  /** Milliseconds until a key has brought that text. */
  async press(key: string, text: string): Promise<number> {
    this.#text = ''
    const began = performance.now()
    this.#child.stdin.write(key)
    await this.#shows(text)
    return performance.now() - began
  }

  async #shows(text: string): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE)
    while (!this.#text.includes(text)) {
      await new Promise<void>((resolve, reject) => {
        this.#onText = resolve
        signal.onabort = () => reject(new Error(`the screen did not show ${text}`))
      })
    }
    this.#onText = () => {}
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nobody looks any more: what comes is read and forgotten.
    this.#onText = () => {
      this.#text = ''
    }
    const ended = once(this.#child, 'exit')
    this.#child.stdin.write('q')
    await ended
  }
}
