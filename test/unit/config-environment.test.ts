// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references as people write them
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BoundSocket,
  generationEnvironment,
  siblingVariables,
  variableNames,
} from '../../proxy/config/environment.ts'
import { expand } from '../../proxy/config/expand.ts'
import type { ResolvedService, ResolvedSocket } from '../../proxy/config/types.ts'

function socket(name: string, more: Partial<ResolvedSocket> = {}): ResolvedSocket {
  return { name, address: { kind: 'auto' }, backlog: 4096, protocol: 'http', binds: null, ...more }
}

function service(name: string, more: Partial<ResolvedService> = {}): ResolvedService {
  return {
    name,
    argv: ['true'],
    script: null,
    command: 'true',
    sockets: [socket('http')],
    start: 'on-demand',
    watch: null,
    swap: 'hold',
    reload: null,
    ready: { kind: 'accept', timeoutMs: 1 },
    drainMs: 1,
    stop: { signal: 'SIGTERM', timeoutMs: 1 },
    idleMs: null,
    retry: { limit: 1, withinMs: 1, delayMs: 1 },
    cwd: '/',
    env: {},
    envFile: {},
    onConflict: 'ask',
    adopt: true,
    standby: null,
    mode: 'listen',
    ...more,
  }
}

const api = service('api', { sockets: [socket('http'), socket('admin')] })
const mail = service('my-mail', {
  sockets: [socket('smtp', { address: { kind: 'unix', path: '/m', mode: 0o600 } })],
})
const worker = service('worker', { sockets: [] })
const ports = new Map<string, BoundSocket>([
  ['web/http', { port: 5173, url: 'http://localhost:5173/' }],
  ['api/http', { port: 3001, url: 'http://localhost:3001/' }],
  ['api/admin', { port: 3002, url: 'http://localhost:3002/' }],
  ['my-mail/smtp', { port: null, url: null }],
])

function environment(more: Partial<ResolvedService>, shell: Record<string, string> = {}) {
  const web = service('web', more)
  const services = [web, api, mail, worker]
  return generationEnvironment({
    project: { id: 'shop@fix', services },
    service: web,
    generation: 3,
    ports,
    shell,
  })
}

function env(more: Partial<ResolvedService>, shell: Record<string, string> = {}): Record<string, string> {
  const result = environment(more, shell)
  if (!result.ok) throw new Error(result.failure.message)
  return result.value
}

test('a generation is told who it is, where it listens and where its siblings are', () => {
  expect(env({}, { HOME: '/h' })).toEqual({
    HOME: '/h',
    PORT: '5173',
    DEVSOCK_URL: 'http://localhost:5173',
    DEVSOCK_PROJECT: 'shop@fix',
    DEVSOCK_SERVICE: 'web',
    DEVSOCK_GENERATION: '3',
    DEVSOCK_WEB_URL: 'http://localhost:5173',
    DEVSOCK_WEB_PORT: '5173',
    DEVSOCK_WEB_HTTP_PORT: '5173',
    DEVSOCK_API_URL: 'http://localhost:3001',
    DEVSOCK_API_PORT: '3001',
    DEVSOCK_API_HTTP_PORT: '3001',
    DEVSOCK_API_ADMIN_PORT: '3002',
    FORCE_COLOR: '1',
    CLICOLOR_FORCE: '1',
    PYTHONUNBUFFERED: '1',
  })
})

test('PORT is the port as the program should bind it', () => {
  expect(env({ sockets: [socket('http', { binds: 8080 })] }).PORT).toBe('8080')
  expect(
    env({ sockets: [socket('a', { address: { kind: 'unix', path: '/a', mode: 0 } }), socket('http')] }).PORT,
  ).toBe('5173')
  expect(env({ sockets: [] }, { PORT: '99' }).PORT).toBe('99')
})

test("devsock's own goes before `env`, that before the shell, and the shell before envFile", () => {
  const more = {
    env: { A: 'env', B: 'env', PORT: 'env' },
    envFile: { A: 'file', B: 'file', C: 'file', D: 'file', PORT: 'file' },
  }
  expect(env(more, { A: 'shell', C: 'shell', PORT: 'shell' })).toMatchObject({
    A: 'env',
    B: 'env',
    C: 'shell',
    D: 'file',
    PORT: '5173',
  })
})

test('descriptors and channels of others never leak through, whoever set them', () => {
  const leaks = {
    LISTEN_FDS: '1',
    LISTEN_PID: '2',
    LISTEN_FDNAMES: 'x',
    LISTEN_ANYTHING: 'x',
    NOTIFY_SOCKET: '/x',
    NODE_CHANNEL_FD: '3',
    NODE_CHANNEL_SERIALIZATION_MODE: 'json',
    WATCHDOG_PID: '1',
    DEVSOCK_LOCK_FD: '5',
    DEVSOCK_INVOCATION: 'abc',
    DEVSOCK_OTHER_PORT: '1',
    DEVSOCK_OTHER_URL: 'x',
  }
  for (const result of [env({}, leaks), env({ env: leaks }), env({ envFile: leaks })]) {
    for (const name of Object.keys(leaks)) expect(result).not.toHaveProperty(name)
  }
})

test("what the user tells devsock's own programs stays", () => {
  const own = {
    DEVSOCK_STATE_DIR: '/s',
    DEVSOCK_RUNTIME_DIR: '/r',
    DEVSOCK_DASHBOARD_PORT: '1',
    DEVSOCK: '0',
  }
  expect(env({}, own)).toMatchObject(own)
})

test('colours and unbuffered output can be turned off', () => {
  expect(env({}, { FORCE_COLOR: '0', PYTHONUNBUFFERED: '' })).toMatchObject({
    FORCE_COLOR: '0',
    PYTHONUNBUFFERED: '',
  })
  const plain = env({ env: { NO_COLOR: '1' } })
  expect(plain).not.toHaveProperty('FORCE_COLOR')
  expect(plain).not.toHaveProperty('CLICOLOR_FORCE')
})

describe('`env` can refer to variables and to siblings', () => {
  test.each([
    ['${HOME}/x', '/h/x'],
    ['${EMPTY:-d}|${NONE:-d}|${HOME:-d}', 'd|d|/h'],
    ['${NONE:-${HOME}/${NONE:-x}}', '/h/x'],
    ['${api.url}/items', 'http://localhost:3001/items'],
    ['${api.port} ${api.admin.port} ${api.http.url}', '3001 3002 http://localhost:3001'],
    ['$$HOME $HOME $${HOME} $', '$HOME $HOME ${HOME} $'],
    ['${PORT}', '5173'],
    ['${FILE}', 'f'],
    ['a}b{c', 'a}b{c'],
  ])('%j', (written, value) => {
    expect(env({ env: { X: written }, envFile: { FILE: 'f' } }, { HOME: '/h', EMPTY: '' }).X).toBe(value)
  })

  test('a variable of the same name is the shell’s', () => {
    expect(env({ env: { PATH: './bin:${PATH}' } }, { PATH: '/bin' }).PATH).toBe('./bin:/bin')
  })

  test.each([
    ['${NONE}', '${NONE} is not set', 'or write ${NONE:-} for nothing'],
    ['${apii.url}', '${apii.url}: there is no service "apii"', 'did you mean "api"?'],
    ['${api.host}', '${api.host}: a service has no "host"', '${api.url} or ${api.port}'],
    ['${worker.port}', '${worker.port}: worker listens on nothing', ''],
    ['${my-mail.port}', '${my-mail.port}: my-mail has no port', 'a Unix socket has none'],
    ['${HOME', '"${" is not closed', '"$$"'],
    ['${HOME:-x', '"${" is not closed', '"$$"'],
    ['${HOME-x}', '${HOME-x} is no reference', '${NAME:-default}'],
    ['${}', '${} is no reference', '${NAME}'],
    ['${ HOME }', '${ HOME } is no reference', '${NAME}'],
  ])('%j is explained', (written, message, hint) => {
    const result = environment({ env: { X: written } }, { HOME: '/h' })
    if (result.ok) throw new Error(`it became ${result.value.X}`)
    expect(result.failure.message).toBe(`web: env.X: ${message}`)
    expect(result.failure.hint ?? '').toContain(hint)
  })
})

describe('whatever a value holds', () => {
  const text = fc.string({ unit: fc.constantFrom('$', '{', '}', ':', '-', '.', 'A', 'b', ' ') })

  test('a text without "$" is itself, and any text can be written with "$$"', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(expand(value.replaceAll('$', '$$$$'), () => undefined)).toEqual({ ok: true, value })
      }),
    )
  })

  test('expanding ends, with a value or a message', () => {
    fc.assert(
      fc.property(text, (value) => {
        const result = expand(value, (name) => (name === 'A' ? '${A}$$' : undefined))
        if (!result.ok) expect(result.problem.message).not.toBe('')
      }),
      { numRuns: 1000 },
    )
  })

  test('what was put in is not expanded again', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(expand('<${A}>', () => value)).toEqual({ ok: true, value: `<${value}>` })
      }),
    )
  })
})

test('names of variables hold only what every shell takes', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), (name) => {
      for (const variable of Object.values(variableNames(name, name)))
        expect(variable).toMatch(/^[A-Z0-9_]+$/)
    }),
  )
})

test('a sibling that is not bound is where it was declared to be, if that says where', () => {
  const fixed = service('db', {
    sockets: [socket('http', { address: { kind: 'loopback', port: 5432 }, protocol: 'tcp' })],
  })
  expect(siblingVariables({ services: [api, fixed] }, new Map())).toEqual({
    DEVSOCK_DB_URL: 'tcp://localhost:5432',
    DEVSOCK_DB_PORT: '5432',
    DEVSOCK_DB_HTTP_PORT: '5432',
  })
})
