// Longer than 400 lines: every command's words and exit codes, against one stand-in for the daemon.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { collect, FakeDaemon, project, service } from './cli-fake-daemon.ts'

const failure = (code: string, message: string, more: object = {}) => ({
  v: 1,
  error: { code, message, hint: null, ...more },
})

async function start(...args: Parameters<typeof FakeDaemon.start>): Promise<FakeDaemon> {
  const daemon = await FakeDaemon.start(...args)
  onTestFinished(() => daemon[Symbol.asyncDispose]())
  return daemon
}

function nowhere(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'devsock-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return { DEVSOCK_STATE_DIR: join(folder, 'state'), HOME: folder }
}

describe('status', () => {
  test('prints the table of this project', async () => {
    const daemon = await start([
      project([service('web'), service('api', { state: 'ready', pid: 7, generation: 1 })]),
    ])
    const { exit, out, err } = await daemon.run(['status'])
    expect({ exit, err }).toEqual({ exit: 0, err: '' })
    expect(out.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['SERVICE', 'STATE'],
      ['web', 'held'],
      ['api', 'ready'],
      [''],
    ])
  })

  test('--json is the document; ps is its alias; options may stand before the name', async () => {
    const daemon = await start([project([service('web')])])
    const one = await daemon.run(['--json', 'ps'])
    const two = await daemon.run(['-C', '/', 'status', '--json', '-C', daemon.folder])
    expect(JSON.parse(one.out)).toMatchObject({
      v: 1,
      daemon: { pid: 1 },
      projects: [{ id: 'shop', services: [{ name: 'web' }] }],
    })
    expect(two.out).toBe(one.out)
  })

  test('without a daemon it is an empty document and no failure', async () => {
    const daemon = await start()
    const { exit, out } = await daemon.run(['status', '--json'], { env: nowhere() })
    expect({ exit, out }).toEqual({ exit: 0, out: '{"v":1,"daemon":null,"projects":[]}\n' })
  })

  test('a service that does not exist is a usage error with a suggestion', async () => {
    const daemon = await start([project([service('web'), service('api')])])
    const { exit, err } = await daemon.run(['status', 'wbe'])
    expect(exit).toBe(2)
    expect(err).toBe('error: shop has no service wbe.\nDid you mean web?\n')
  })

  test('an error under --json is one document on stdout', async () => {
    const daemon = await start([project([service('web')])])
    const { exit, out, err } = await daemon.run(['status', 'nope', '--json'])
    expect({ exit, err }).toEqual({ exit: 2, err: '' })
    expect(JSON.parse(out)).toMatchObject({ v: 1, error: { code: 'unknown-service' } })
  })
})

describe('usage', () => {
  test.each([
    [['satus'], 'There is no command satus.', 'Did you mean devsock status?'],
    [['status', '--jsno'], "Unknown option '--jsno'.", 'Did you mean --json?'],
    [['wait', '--timeout', 'soon'], '"soon" is not a duration.', 'Write 500ms'],
    [['wait', '--for', 'ever'], '--for takes ready or held', 'devsock wait --help'],
    [['logs', '-n', 'many'], '-n takes a whole number', 'devsock logs --help'],
    [['free'], 'devsock free needs <port...>.', 'devsock free --help'],
    [['free', '99999'], '99999 is not a port.', 'from 1 to 65535'],
    [['status', '-C', '/no/such/folder'], 'There is no folder /no/such/folder.', 'Name another with -C.'],
    [
      ['status', '--directory'],
      "Option '-C, --directory <value>' argument missing.",
      'devsock status --help',
    ],
    [['down', 'web'], 'devsock down does not take web.', 'devsock down --help'],
    [['url'], 'devsock url needs <service>.', 'devsock url --help'],
    [['daemon', 'frob'], 'There is no devsock daemon frob.', 'It takes status'],
  ])('%j exits 2 and says what was meant', async (args, message, hint) => {
    const daemon = await start([project([service('web')])])
    const { exit, out, err } = await daemon.run(args)
    expect({ exit, out }).toEqual({ exit: 2, out: '' })
    expect(err).toContain(message)
    expect(err).toContain(hint)
  })

  test.each(['import', 'export', 'activate', 'fd', 'completion'])(
    '%s says in one line that it is not in this version',
    async (name) => {
      const daemon = await start()
      const { exit, err } = await daemon.run([name, '--whatever', 'x'])
      expect({ exit, err }).toEqual({ exit: 2, err: `error: devsock ${name} is not in this version.\n` })
    },
  )

  test.each(
    [
      'up',
      'down',
      'status',
      'ps',
      'start',
      'stop',
      'restart',
      'sleep',
      'wait',
      'logs',
      'open',
      'url',
      'exec',
      'env',
    ].concat(['ports', 'free', 'init', 'check', 'doctor', 'daemon']),
  )('%s --help shows examples and asks nobody', async (name) => {
    const daemon = await start()
    const { exit, out } = await daemon.run([name, '--help'])
    expect(exit).toBe(0)
    expect(out).toContain('Examples:\n  $ devsock ')
    expect(out).toContain('--no-input')
    expect(daemon.asked).toEqual([])
  })

  test('no command, --help and --version', async () => {
    const daemon = await start()
    expect((await daemon.run([])).out).toContain('devsock up [service...]')
    expect((await daemon.run(['--help'])).exit).toBe(0)
    expect((await daemon.run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+/)
  })
})

describe('the verbs', () => {
  test.each(['start', 'stop', 'restart', 'sleep'])(
    '%s asks the daemon, a request a service',
    async (verb) => {
      const daemon = await start([project([service('web'), service('a b')])])
      daemon.on(`POST /v1/services/shop/web/${verb}`, () => ({ body: { v: 1, service: service('web') } }))
      daemon.on(`POST /v1/services/shop/a%20b/${verb}`, () => ({ body: { v: 1, service: service('a b') } }))
      const { exit, out } = await daemon.run([verb])
      expect({ exit, out }).toEqual({ exit: 0, out: '✓ web held\n✓ a b held\n' })
    },
  )

  test('one that fails hides none of the others, and decides the exit code', async () => {
    const daemon = await start([project([service('bad'), service('web')])])
    daemon.on('POST /v1/services/shop/bad/start', () => ({
      status: 409,
      body: failure('service-failed', 'bad exited with 1'),
    }))
    daemon.on('POST /v1/services/shop/web/start', () => ({ body: { v: 1, service: service('web') } }))
    const { exit, out, err } = await daemon.run(['start'])
    expect({ exit, out, err }).toEqual({ exit: 1, out: '✓ web held\n', err: 'error: bad exited with 1\n' })
  })

  test('where nothing is up they exit 4 and say what to do', async () => {
    const daemon = await start()
    const { exit, err } = await daemon.run(['restart'])
    expect(exit).toBe(4)
    expect(err).toMatch(/is not up\.\ndevsock up\n$/)
  })
})

describe('wait', () => {
  test('prints the receipt of the swap that it waited for', async () => {
    const receipt = {
      from: 1,
      to: 2,
      cause: 'src/api.js',
      policy: 'hold',
      ms: 48,
      queued: 3,
      moved: 0,
      cut: 0,
    } as const
    const daemon = await start([project([service('api')])])
    daemon.on('POST /v1/services/shop/api/wait', () => ({
      body: { v: 1, service: service('api', { state: 'ready', generation: 2, lastSwap: receipt }) },
    }))
    const { exit, out } = await daemon.run(['wait', 'api', '--timeout', '2s'])
    expect({ exit, out }).toEqual({
      exit: 0,
      out: '✓ api ready · generation 2 · src/api.js · 48 ms · 0 cut\n',
    })
    expect(daemon.asked.at(-1)?.body).toEqual({ for: 'ready', timeoutMs: 2000, sweep: true })
  })

  test('exits 124 when its time runs out', async () => {
    const daemon = await start([project([service('api')])])
    daemon.on('POST /v1/services/shop/api/wait', () => ({
      status: 504,
      body: failure('timeout', 'not ready in 30 s'),
    }))
    expect((await daemon.run(['wait'])).exit).toBe(124)
  })
})

test('down names what it ended', async () => {
  const daemon = await start([project([service('web')])])
  daemon.on('DELETE /v1/projects/shop', () => ({ body: { v: 1, services: 2, ports: 1, ms: 12 } }))
  const { exit, out } = await daemon.run(['down'])
  expect({ exit, out }).toEqual({ exit: 0, out: '✓ shop: 2 services ended, 1 port released\n' })
})

describe('logs', () => {
  const line = (at: string, name: string, text: string) => ({
    at,
    project: 'shop',
    service: name,
    generation: 1,
    text,
  })

  async function withLogs(): Promise<FakeDaemon> {
    const daemon = await start([project([service('web'), service('api')])])
    daemon.on('GET /v1/services/shop/web/logs', () => ({
      lines: [
        line('2026-01-01T00:00:01Z', 'web', 'one'),
        line('2026-01-01T00:00:03Z', 'web', '\u001b[31mthree\u001b[2J'),
      ],
    }))
    daemon.on('GET /v1/services/shop/api/logs', () => ({
      lines: [line('2026-01-01T00:00:02Z', 'api', 'two')],
    }))
    return daemon
  }

  test('of all services come in the order of time, the newest of -n', async () => {
    const daemon = await withLogs()
    expect((await daemon.run(['logs'])).out).toBe('web | one\napi | two\nweb | three\n')
    expect((await daemon.run(['logs', '-n', '2'])).out).toBe('api | two\nweb | three\n')
  })

  test('of one service have no label, and keep colours where colours are wanted', async () => {
    const daemon = await withLogs()
    const { out } = await daemon.run(['logs', 'web'], { env: { ...daemon.env, FORCE_COLOR: '1' } })
    expect(out).toBe('one\n\u001b[31mthree\u001b[0m\n')
  })

  test('--json leaves text as it was written', async () => {
    const daemon = await withLogs()
    const { out } = await daemon.run(['logs', 'web', '--json'])
    expect(
      out
        .trim()
        .split('\n')
        .map((each) => JSON.parse(each).text),
    ).toEqual(['one', '\u001b[31mthree\u001b[2J'])
  })

  test('options become the query', async () => {
    const daemon = await withLogs()
    await daemon.run([
      'logs',
      'api',
      '-f',
      '--grep',
      'a&b',
      '--previous',
      '--generation',
      '3',
      '-n',
      '5',
      '--since',
      '10m',
    ])
    const query = new URL(daemon.asked.at(-1)?.path ?? '', 'http://x').searchParams
    expect(Object.fromEntries(query)).toMatchObject({
      follow: '1',
      grep: 'a&b',
      previous: '1',
      generation: '3',
      last: '5',
    })
    expect(Date.now() - Date.parse(query.get('since') ?? '')).toBeGreaterThanOrEqual(600_000)
  })
})

test('url prints what a script needs, of the socket that is named', async () => {
  const [http] = service('web').sockets
  const admin = {
    ...service('web').sockets[0],
    name: 'admin',
    address: 'unix:/tmp/a.sock',
    url: null,
    port: null,
  }
  const daemon = await start([project([{ ...service('web'), sockets: [http, admin] } as never])])
  expect((await daemon.run(['url', 'web'])).out).toBe('http://localhost:3001\n')
  expect((await daemon.run(['url', 'shop/web:admin'])).out).toBe('unix:/tmp/a.sock\n')
  expect(await daemon.run(['url', 'web:nope'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('http, admin'),
  })
})

test('env can be read back by a shell', async () => {
  const daemon = await start([project([service('web')])])
  daemon.on('GET /v1/projects/shop/env', () => ({
    body: { v: 1, env: { A: 'http://x:1', B: "it's $HOME" } },
  }))
  expect((await daemon.run(['env'])).out).toBe(`A=http://x:1\nB='it'\\''s $HOME'\n`)
})

describe('exec', () => {
  async function withEnv(): Promise<FakeDaemon> {
    const daemon = await start([project([service('web')])])
    daemon.on('GET /v1/projects/shop/env', () => ({ body: { v: 1, env: { DEVSOCK_WEB_PORT: '7' } } }))
    return daemon
  }

  test('exits as its command, which has the variables; its options are its own', async () => {
    const daemon = await withEnv()
    expect((await daemon.run(['exec', '--', 'sh', '-c', 'exit $DEVSOCK_WEB_PORT'])).exit).toBe(7)
    expect((await daemon.run(['exec', 'sh', '-c', 'kill -TERM $$'])).exit).toBe(143)
  })

  test('a command that does not exist is said, not thrown', async () => {
    const daemon = await withEnv()
    expect(await daemon.run(['exec', '--', 'no-such-command-here'])).toMatchObject({
      exit: 2,
      err: expect.stringContaining('There is no command no-such-command-here.'),
    })
  })

  test('--up takes down what it brought up, and leaves what was up', async () => {
    const daemon = await withEnv()
    let started = true
    daemon.on('POST /v1/projects', () => ({
      body: { v: 1, project: project([service('web')]), started, ms: 1 },
    }))
    daemon.on('POST /v1/services/shop/web/wait', () => ({ body: { v: 1, service: service('web') } }))
    daemon.on('DELETE /v1/projects/shop', () => ({ body: { v: 1, services: 1, ports: 1, ms: 1 } }))
    expect((await daemon.run(['exec', '--up', '--', 'sh', '-c', 'exit 3'])).exit).toBe(3)
    expect(daemon.asked.at(-1)).toMatchObject({ method: 'DELETE', path: '/v1/projects/shop' })
    started = false
    daemon.asked.length = 0
    expect((await daemon.run(['exec', '--up', 'true'])).exit).toBe(0)
    expect(daemon.asked.some(({ method }) => method === 'DELETE')).toBe(false)
  })
})

describe('free', () => {
  const owner = { pid: 4242, command: 'node server.js', cwd: '/srv', user: 'ann', refused: null }

  async function withOwner(): Promise<FakeDaemon> {
    const daemon = await start()
    daemon.on('GET /v1/ports/3000/plan', () => ({ body: { v: 1, port: 3000, owners: [owner] } }))
    daemon.on('POST /v1/ports/3000/free', () => ({ body: { v: 1, ended: [owner], ms: 9 } }))
    return daemon
  }
  const freed = ({ asked }: FakeDaemon): boolean => asked.some(({ path }) => path === '/v1/ports/3000/free')

  test('where nobody can be asked it ends nobody, and prints the command that would', async () => {
    const daemon = await withOwner()
    const { exit, err } = await daemon.run(['free', '3000'])
    expect({ exit, freed: freed(daemon) }).toEqual({ exit: 2, freed: false })
    expect(err).toContain('pid 4242')
    expect(err).toContain('devsock free 3000 --yes')
  })

  test('--dry-run only shows, --yes does it', async () => {
    const daemon = await withOwner()
    expect((await daemon.run(['free', '3000', '--dry-run'])).out).toMatch(
      /^Port 3000:\n +PID +COMMAND +CWD +USER\n +4242 {2}node server\.js {2}\/srv {2}ann\n/,
    )
    expect(freed(daemon)).toBe(false)
    expect((await daemon.run(['free', '3000', '--yes'])).out).toContain('✓ port 3000 is free · 9 ms')
    expect(freed(daemon)).toBe(true)
  })
})

test('ports shows each process that has a port open, and cuts for the terminal', async () => {
  const daemon = await start()
  const owners = [1, 2].map((pid) => ({ pid, command: 'node '.repeat(40), cwd: '/srv', user: 'ann' }))
  const listing = { protocol: 'tcp', port: 3000, address: '127.0.0.1', inode: 1, owners, service: null }
  daemon.on('GET /v1/ports', () => ({
    body: { v: 1, ports: [listing, { ...listing, port: 80, owners: [] }] },
  }))
  const stdout = { ...collect(), isTTY: true, columns: 80 }
  await daemon.run(['ports'], { stdout, env: { ...daemon.env, CI: '1', NO_COLOR: '1' } })
  const lines = stdout.text().trimEnd().split('\n')
  expect(lines.map((line) => line.split(/ +/)[0])).toEqual(['PORT', '80', '3000', '3000'])
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  expect((await daemon.run(['ports', '81'])).out).toBe('Nobody listens on 81.\n')
})

test('check prints all problems with their places and exits 2', async () => {
  const daemon = await start()
  const file = join(daemon.folder, 'devsock.config.json')
  const problem = {
    message: 'unknown key listn',
    hint: 'Did you mean listen?',
    file,
    line: 4,
    column: 7,
    path: 'services.api.listn',
  }
  daemon.on('POST /v1/check', () => ({
    body: { v: 1, problems: [problem, { ...problem, line: 9 }], project: null },
  }))
  const { exit, err } = await daemon.run(['check'])
  expect(exit).toBe(2)
  expect(err).toContain('The configuration has 2 problems.')
  expect(err).toContain(
    '  devsock.config.json:4:7 services.api.listn: unknown key listn\n    Did you mean listen?\n',
  )
  expect(err).toContain('devsock.config.json:9:7')
})

describe('up', () => {
  const reply = { v: 1, project: project([service('web'), service('api')]), started: true, ms: 41 }

  test('-d prints what is held and leaves', async () => {
    const daemon = await start()
    daemon.on('POST /v1/projects', () => ({ body: reply }))
    const { exit, out } = await daemon.run(['up', '-d', 'web', '--no-watch'])
    expect(exit).toBe(0)
    expect(out).toBe(
      '✓ shop · 2 ports held in 41 ms · nothing runs until asked\n' +
        '  web  held  http://localhost:3001\n  api  held  http://localhost:3001\n',
    )
    const body = daemon.asked.find(({ method }) => method === 'POST')?.body
    expect(body).toMatchObject({
      dir: daemon.folder,
      services: ['web'],
      watch: false,
      autoPorts: false,
      detached: true,
    })
    expect(body).toHaveProperty('env.DEVSOCK_STATE_DIR', daemon.folder)
  })

  test('in the foreground it holds the lease, prints what happens, and ends with the project', async () => {
    const daemon = await start()
    daemon.on('POST /v1/projects', () => ({ body: reply }))
    const running = daemon.run(['up'])
    await daemon.until(() => daemon.subscriptions.length > 0)
    expect(daemon.subscriptions).toEqual([{ projects: ['shop'], logs: true, lease: 'shop' }])
    const base = { v: 1, seq: 1, at: '', project: 'shop', service: 'web', generation: 1 }
    daemon.emit({ ...base, type: 'snapshot', daemon: null, projects: [reply.project] })
    daemon.emit({ ...base, type: 'service', status: service('web', { state: 'starting', generation: 1 }) })
    const reason = { code: 'first-connection', message: 'first connection, 96 ms', hint: null } as const
    daemon.emit({
      ...base,
      type: 'service',
      status: service('web', { state: 'ready', generation: 1, reason }),
    })
    daemon.emit({ ...base, type: 'log', text: 'listening\u001b[2J' })
    daemon.emit({ ...base, type: 'project-gone' })
    const { exit, out } = await running
    expect(exit).toBe(0)
    expect(out.split('\n').slice(3)).toEqual([
      '✓ web ready · generation 1 · first connection, 96 ms',
      'web | listening',
      '✓ shop was taken down',
      '',
    ])
  })

  test('that only attaches asks for no lease', async () => {
    const daemon = await start()
    daemon.on('POST /v1/projects', () => ({ body: { ...reply, started: false } }))
    const running = daemon.run(['up'])
    await daemon.until(() => daemon.subscriptions.length > 0)
    expect(daemon.subscriptions[0]?.lease).toBeNull()
    daemon.emit({ v: 1, seq: 1, at: '', type: 'project-gone', project: 'shop' })
    expect((await running).out).toContain('✓ shop is up already\n')
  })

  test('a taken port exits 3, names who has it and the command to run', async () => {
    const owners = [
      {
        service: 'web',
        address: 'localhost:3001',
        port: 3001,
        owner: { pid: 9, command: 'node x.js', cwd: null, user: 'ann' },
      },
    ]
    const daemon = await start()
    daemon.on('POST /v1/projects', () => ({
      status: 409,
      body: failure('port-taken', 'Port 3001 is taken.', { owners }),
    }))
    const { exit, err } = await daemon.run(['up', '-d'])
    expect(exit).toBe(3)
    expect(err).toContain('web  localhost:3001  pid 9  node x.js  (ann)')
    expect(err).toContain('devsock free 3001')
  })

  test('--kill frees the port and tries again, but not for ever', async () => {
    const owners = [{ service: 'web', address: 'localhost:3001', port: 3001, owner: null }]
    const daemon = await start()
    let refusals = 1
    daemon.on('POST /v1/projects', () =>
      refusals-- > 0
        ? { status: 409, body: failure('port-taken', 'Port 3001 is taken.', { owners }) }
        : { body: reply },
    )
    daemon.on('POST /v1/ports/3001/free', () => ({ body: { v: 1, ended: [], ms: 1 } }))
    expect((await daemon.run(['up', '-d', '--kill'])).exit).toBe(0)
    refusals = 5
    expect((await daemon.run(['up', '-d', '--kill'])).exit).toBe(3)
  })

  test('without a configuration it starts nothing and says what to write', async () => {
    const daemon = await start()
    const empty = join(daemon.folder, 'empty')
    mkdirSync(join(empty, '.git'), { recursive: true })
    const { exit, err } = await daemon.run(['up', '-C', empty])
    expect(exit).toBe(2)
    expect(err).toContain('devsock.config.ts')
    expect(daemon.asked).toEqual([])
  })

  test('inside one of its own services it is refused', async () => {
    const daemon = await start([project([service('web')])])
    const env = { ...daemon.env, DEVSOCK_PROJECT: 'shop', DEVSOCK_SERVICE: 'web' }
    const { exit, err } = await daemon.run(['up', '-d'], { env })
    expect(exit).toBe(2)
    expect(err).toContain('its command runs devsock up')
    expect(daemon.asked.some(({ method }) => method === 'POST')).toBe(false)
  })

  test('under sudo it is refused', async () => {
    const daemon = await start()
    const { exit, err } = await daemon.run(['up', '-d'], { env: { ...daemon.env, SUDO_UID: '4711' } })
    expect(exit).toBe(2)
    expect(err).toContain('does not run under sudo')
  })

  test('--json prints the event stream', async () => {
    const daemon = await start()
    daemon.on('POST /v1/projects', () => ({ body: reply }))
    const running = daemon.run(['up', '--json'])
    await daemon.until(() => daemon.subscriptions.length > 0)
    const event = { v: 1, seq: 1, at: '', type: 'project-gone', project: 'shop' }
    daemon.emit(event)
    expect(JSON.parse((await running).out)).toEqual(event)
  })
})

test('a project name with a slash and a percent sign stays one path segment', async () => {
  const id = '@acme/100%'
  const web = { ...service('web'), id: `${id}/web` }
  const daemon = await start([project([web], { id })])
  daemon.on('POST /v1/services/%40acme%2F100%25/web/sleep', () => ({ body: { v: 1, service: web } }))
  expect((await daemon.run(['sleep', `${id}/web`])).exit).toBe(0)
})

test('an answer that makes no sense is said, not thrown', async () => {
  const daemon = await start([project([service('web')])])
  daemon.on('POST /v1/services/shop/web/stop', () => ({ status: 500, body: 'oops' }))
  expect(await daemon.run(['stop'])).toMatchObject({ exit: 1, err: expect.stringContaining('HTTP 500') })
})

test('the nearest configuration upward is the project, up to the git root', async () => {
  const daemon = await start([project([service('web')])])
  const inner = join(daemon.folder, 'packages', 'one')
  mkdirSync(inner, { recursive: true })
  expect((await daemon.run(['url', 'web', '-C', inner])).exit).toBe(0)
  writeFileSync(join(inner, 'package.json'), '{"devsock":{}}')
  expect((await daemon.run(['url', 'web', '-C', inner])).exit).toBe(4)
})
