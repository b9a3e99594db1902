/** The command line as a process: signals, pipes, terminals, and what it loads. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Command } from '../rig/command.ts'
import { eventually } from '../rig/eventually.ts'
import { CHECKOUT } from '../rig/rig.ts'
import { FakeDaemon, project, service } from '../unit/cli-fake-daemon.ts'

const CLI = join(CHECKOUT, 'dist/cli/main.cjs')
const REPLY = { v: 1, project: project([service('web')]), started: true, ms: 1 }

async function startDaemon(): Promise<FakeDaemon> {
  const daemon = await FakeDaemon.start([project([service('web')])])
  onTestFinished(() => daemon[Symbol.asyncDispose]())
  daemon.on('POST /v1/projects', () => ({ body: REPLY }))
  daemon.on('DELETE /v1/projects/shop', () => ({ body: { v: 1, services: 1, ports: 1, ms: 1 } }))
  return daemon
}

function start(daemon: FakeDaemon, argv: string[], env: Record<string, string> = {}): Command {
  const command = new Command(argv, daemon.folder, { ...daemon.env, ...env })
  onTestFinished(() => command[Symbol.asyncDispose]())
  return command
}

const devsock = (daemon: FakeDaemon, args: string[], env?: Record<string, string>): Command =>
  start(daemon, [process.execPath, CLI, ...args], env)

const deletions = ({ asked }: FakeDaemon): string[] =>
  asked.filter(({ method }) => method === 'DELETE').map(({ path }) => path)

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s to the up that started a project brings it down, and exits 130',
  async (signal) => {
    const daemon = await startDaemon()
    const up = devsock(daemon, ['up'])
    await daemon.until(() => daemon.subscriptions.length > 0)
    up.kill(signal)
    const { code, stdout } = await up.finished()
    expect({ code, deletions: deletions(daemon) }).toEqual({ code: 130, deletions: ['/v1/projects/shop'] })
    expect(stdout).toContain('✓ shop: 1 service ended, 1 port released')
  },
)

test('a second Ctrl-C asks for all of it to end at once', async () => {
  const daemon = await startDaemon()
  // The first DELETE waits for services that take their time; the second one must not wait for the first.
  let answerFirst = (): void => {}
  const first = new Promise<void>((resolve) => {
    answerFirst = resolve
  })
  daemon.on('DELETE /v1/projects/shop', ({ path }) => ({
    after: path.endsWith('force=1') ? undefined : first,
    body: { v: 1, services: 1, ports: 1, ms: 1 },
  }))
  const up = devsock(daemon, ['up'])
  await daemon.until(() => daemon.subscriptions.length > 0)
  up.kill('SIGINT')
  await daemon.until(() => deletions(daemon).length === 1)
  up.kill('SIGINT')
  await daemon.until(() => deletions(daemon).length === 2)
  answerFirst()
  expect((await up.finished()).code).toBe(130)
  expect(deletions(daemon)).toEqual(['/v1/projects/shop', '/v1/projects/shop?force=1'])
})

test('Ctrl-C on the up that only attached leaves the project up', async () => {
  const daemon = await startDaemon()
  daemon.on('POST /v1/projects', () => ({ body: { ...REPLY, started: false } }))
  const up = devsock(daemon, ['up'])
  await daemon.until(() => daemon.subscriptions.length > 0)
  up.kill('SIGINT')
  await up.finished()
  expect(deletions(daemon)).toEqual([])
})

test('the lease goes with a killed up: its stream closes', async () => {
  const daemon = await startDaemon()
  const up = devsock(daemon, ['up'])
  await daemon.until(() => daemon.subscriptions[0]?.lease === 'shop')
  up.kill('SIGKILL')
  await daemon.until(() => daemon.streams === 0)
})

test('output through a closed pipe ends quietly', async () => {
  const daemon = await startDaemon()
  const at = '2026-01-01T00:00:00Z'
  const text = 'x'.repeat(1000)
  const lines = Array.from({ length: 2000 }, () => ({
    at,
    project: 'shop',
    service: 'web',
    generation: 1,
    text,
  }))
  daemon.on('GET /v1/services/shop/web/logs', () => ({ lines }))
  const pipe = start(daemon, [
    'bash',
    '-c',
    `set -o pipefail; "$1" "$2" logs -n 5000 | head -1; exit \${PIPESTATUS[0]}`,
    '-',
    process.execPath,
    CLI,
  ])
  const { code, stdout, stderr } = await pipe.finished()
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${text}\n`, stderr: '' })
})

/** The command line on a terminal of that size: script(1) makes one, and types what it reads. */
class Terminal {
  #shown = ''
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly exit: Promise<number | null>

  constructor(daemon: FakeDaemon, args: string[], columns = 80, rows = 24) {
    const line = [process.execPath, CLI, ...args].join(' ')
    this.#child = spawn('script', ['-qefc', `stty cols ${columns} rows ${rows}; exec ${line}`, '/dev/null'], {
      cwd: daemon.folder,
      env: { ...daemon.env, TERM: 'xterm-256color', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#shown += text
    })
    this.exit = once(this.#child, 'exit').then(([code]) => code)
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  type(keys: string): void {
    this.#child.stdin.write(keys)
  }

  /** What was shown since the last call, once this text is in it. */
  async shows(text: string): Promise<string> {
    const dump = async (): Promise<string> => JSON.stringify(this.#shown)
    await eventually(() => this.#shown.includes(text), { what: `"${text}" on the terminal`, dump })
    const shown = this.#shown
    this.#shown = ''
    return shown
  }
}

describe('on a terminal', () => {
  test('up shows its screen, and q brings down what it started', async () => {
    const daemon = await startDaemon()
    const terminal = new Terminal(daemon, ['up'])
    await terminal.shows('q quit')
    terminal.type('q')
    await terminal.shows('✓')
    expect(await terminal.exit).toBe(0)
    expect(deletions(daemon)).toEqual(['/v1/projects/shop'])
  })

  test('Ctrl-C on the screen is 130', async () => {
    const daemon = await startDaemon()
    const terminal = new Terminal(daemon, ['up'])
    await terminal.shows('q quit')
    terminal.type('\u0003')
    expect(await terminal.exit).toBe(130)
  })

  test('d detaches: the daemon keeps the project, and nothing is taken down', async () => {
    const daemon = await startDaemon()
    const terminal = new Terminal(daemon, ['up'])
    await terminal.shows('q quit')
    terminal.type('d')
    expect(await terminal.exit).toBe(0)
    const posts = daemon.asked.filter(({ method }) => method === 'POST').map(({ body }) => body)
    expect(posts).toMatchObject([{ detached: false }, { detached: true }])
    expect(deletions(daemon)).toEqual([])
  })

  test('a taken port is a question: k frees it and goes on', async () => {
    const daemon = await startDaemon()
    const owner = { pid: 9, command: 'node x.js', cwd: null, user: 'ann' }
    const owners = [{ service: 'web', address: 'localhost:3001', port: 3001, owner }]
    const error = { code: 'port-taken', message: 'Port 3001 is taken.', hint: null, owners }
    let isTaken = true
    daemon.on('POST /v1/projects', () => (isTaken ? { status: 409, body: { v: 1, error } } : { body: REPLY }))
    daemon.on('POST /v1/ports/3001/free', () => {
      isTaken = false
      return { body: { v: 1, ended: [owner], ms: 1 } }
    })
    const terminal = new Terminal(daemon, ['up', '-d'])
    const question = await terminal.shows('[q]uit')
    expect(question).toContain('web wants localhost:3001, taken by')
    expect(question).toMatch(/ 9 +node x\.js +- +ann/)
    terminal.type('k\n')
    await terminal.shows('port held')
    expect(await terminal.exit).toBe(0)
  })

  test('free asks before it ends anybody, and Enter means no', async () => {
    const daemon = await startDaemon()
    const owner = { pid: 9, command: 'node x.js', cwd: null, user: 'ann', refused: null }
    daemon.on('GET /v1/ports/3000/plan', () => ({ body: { v: 1, port: 3000, owners: [owner] } }))
    const terminal = new Terminal(daemon, ['free', '3000'])
    await terminal.shows('End it? [y/N]')
    terminal.type('\n')
    expect(await terminal.exit).toBe(0)
    expect(daemon.asked.some(({ path }) => path.endsWith('/free'))).toBe(false)
  })
})

test.each(['status', 'ports', 'logs', 'url', 'down'])('%s loads no package at all', async (name) => {
  const daemon = await startDaemon()
  daemon.on('GET /v1/ports', () => ({ body: { v: 1, ports: [] } }))
  daemon.on('GET /v1/services/shop/web/logs', () => ({ lines: [] }))
  const coverage = mkdtempSync(join(tmpdir(), 'devsock-loads-'))
  onTestFinished(() => rmSync(coverage, { recursive: true, force: true }))
  const args = name === 'url' ? [name, 'web'] : [name]
  const { code, stderr } = await devsock(daemon, args, { NODE_V8_COVERAGE: coverage }).finished()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const loaded = readdirSync(coverage).flatMap((file) => {
    const { result } = JSON.parse(readFileSync(join(coverage, file), 'utf8')) as {
      result: { url: string }[]
    }
    return result.map(({ url }) => url)
  })
  expect(loaded.some((url) => url.endsWith('/dist/cli/main.cjs'))).toBe(true)
  expect(loaded.filter((url) => url.includes('/node_modules/'))).toEqual([])
})
