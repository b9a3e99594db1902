/**
 * The dashboard's port, attacked: every page that a developer opens can send requests to it, and so can every
 * user of the machine. Longer than 400 lines: one list of attacks. Raw sockets, because a browser's fetch keeps the headers back that an attacker would set.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { DevsockEvent } from '../../proxy/protocol.ts'
import { type RawAnswer, rawHttp } from '../rig/raw-http.ts'
import { CHECKOUT, Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

const SECRET = 'correct-horse-battery-staple'

let rig: Rig
let port: number
let token: string

const portOf = (url: string | null | undefined): number => Number(new URL(url ?? 'http://none/').port)
const readToken = (of: Rig): string => readFileSync(join(of.stateDir, 'dashboard-token'), 'utf8').trim()

beforeAll(async () => {
  rig = await Rig.create({
    files: { 'api.mjs': nodeServer('v1', "console.log('started')") },
    env: { SHELL_SECRET: SECRET },
  })
  const env = { CONFIGURED_SECRET: SECRET }
  await rig.configure({
    api: { command: ['node', 'api.mjs'], listen: await rig.port(), env, start: 'eager' },
  })
  await rig.up()
  await rig.until('api', 'ready')
  port = portOf((await rig.status()).daemon?.dashboard)
  token = readToken(rig)
})
afterAll(() => rig[Symbol.asyncDispose]())

interface Attack {
  host?: string
  headers?: string[]
  body?: string
}

/** A request that is right in everything but what the attack changes. */
function ask(
  method: string,
  path: string,
  { host = `localhost:${port}`, headers, body }: Attack = {},
): Promise<RawAnswer> {
  return rawHttp(port, [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...(headers ?? [])], body)
}

const bearer = (): string => `Authorization: Bearer ${token}`
const origin = (): string => `Origin: http://localhost:${port}`
const JSON_TYPE = 'Content-Type: application/json'
const RESTART = '/v1/services/shop/api/restart'
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
]

/** A stream that says `first` (of several, each), until it is closed or `enough` events came. */
async function listen(
  first: string | Buffer | string[],
  enough = 1,
  { path = '/v1/events', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<{ code: number | null; events: DevsockEvent[] }> {
  const socket = new WebSocket(`ws://localhost:${port}${path}`, {
    origin: `http://localhost:${port}`,
    headers,
  })
  const events: DevsockEvent[] = []
  let code: number | null = null
  socket.on('open', () => {
    for (const message of Array.isArray(first) ? first : [first]) socket.send(message)
  })
  socket.on('message', (data) => void events.push(JSON.parse(String(data)) as DevsockEvent))
  socket.on('close', (closed) => {
    code = closed
  })
  await rig.eventually(() => code !== null || events.length >= enough, { what: 'an answer of the stream' })
  socket.terminate()
  return { code, events }
}

describe('the token', () => {
  test('has at least 128 random bits, in a file of the user alone', () => {
    const path = join(rig.stateDir, 'dashboard-token')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(Buffer.from(token, 'base64url').length * 8).toBeGreaterThanOrEqual(128)
    expect(token).toMatch(/^[\w-]+$/)
  })

  test('opens the API; none, a wrong one, one in a cookie or in the address does not', async () => {
    expect((await ask('GET', '/v1/status', { headers: [bearer()] })).status).toBe(200)
    const wrong = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`
    const attempts = {
      none: await ask('GET', '/v1/status'),
      wrong: await ask('GET', '/v1/status', { headers: [`Authorization: Bearer ${wrong}`] }),
      shorter: await ask('GET', '/v1/status', { headers: [`Authorization: Bearer ${token.slice(1)}`] }),
      basic: await ask('GET', '/v1/status', { headers: [`Authorization: Basic ${token}`] }),
      cookie: await ask('GET', '/v1/status', { headers: [`Cookie: token=${token}; devsock-token=${token}`] }),
      query: await ask('GET', `/v1/status?token=${token}`),
      write: await ask('POST', RESTART, { headers: [origin(), JSON_TYPE], body: '{}' }),
    }
    for (const [name, { status, body, headers }] of Object.entries(attempts)) {
      expect(status, name).toBe(401)
      expect(body, name).not.toContain('shop')
      expect(headers.has('set-cookie'), name).toBe(false)
    }
  })

  test('is the first message of an event stream; without it no event is told', async () => {
    const told = await listen(JSON.stringify({ token, projects: [], logs: false, lease: null }))
    expect(told.events[0]?.type).toBe('snapshot')
    const wants = { projects: [], logs: true, lease: null }
    for (const first of [wants, { ...wants, token: 'A'.repeat(24) }, { ...wants, token: [token] }, null, 7]) {
      expect(await listen(JSON.stringify(first)), JSON.stringify(first)).toEqual({ code: 4401, events: [] })
    }
    expect(await listen('not JSON')).toEqual({ code: 4401, events: [] })
  })

  test('of a stream is in its first message and nowhere else: address, cookie, header and protocol open none', async () => {
    const wants = JSON.stringify({ projects: [], logs: true, lease: null })
    const elsewhere = { cookie: `token=${token}`, authorization: `Bearer ${token}` }
    const told = await listen(wants, 1, { path: `/v1/events?token=${token}`, headers: elsewhere })
    expect(told).toEqual({ code: 4401, events: [] })
    // No second try on the same stream.
    const right = JSON.stringify({ token, projects: [], logs: true, lease: null })
    expect(await listen([wants, right])).toEqual({ code: 4401, events: [] })
  })

  test('is printed to terminals alone', async () => {
    const opener = { BROWSER: '/bin/true' }
    const cli = `${process.execPath} ${join(CHECKOUT, 'dist/cli/main.cjs')}`
    const piped = await rig
      .spawn(['sh', '-c', `${cli} open; ${cli} open --json; ${cli} up -d`], { env: opener })
      .finished()
    expect(piped.stdout).toContain(`http://localhost:${port}/`)
    expect(piped.stdout + piped.stderr).not.toContain(token)
    // script(1) makes a terminal of a pipe.
    const shown = (command: string) =>
      rig.spawn(['script', '-qefc', `${cli} ${command}`, '/dev/null'], { env: opener }).finished()
    expect((await shown('open')).stdout).toContain(`http://localhost:${port}/#${token}`)
    expect((await shown('up -d')).stdout).toContain(`http://localhost:${port}/#${token}`)
  })

  test('is in nothing that the port answers', async () => {
    for (const path of ['/', '/v1/status', '/v1/hello', '/v1/ports']) {
      const { body, headers } = await ask('GET', path, { headers: [bearer()] })
      expect(body, path).not.toContain(token)
      expect([...headers.values()].join(), path).not.toContain(token)
    }
  })
})

describe('the Host', () => {
  const PATHS = ['/', '/favicon.svg', '/v1/status', '/v1/events', '/nothing']

  test('is one of four names of this machine, with the port', async () => {
    for (const name of ['localhost', '127.0.0.1', '[::1]', 'devsock.localhost'])
      expect((await ask('GET', '/', { host: `${name}:${port}` })).status, name).toBe(200)
  })

  test('of a rebound name is refused everywhere, static files and upgrades too', async () => {
    const hosts = [
      'evil.example',
      `evil.example:${port}`,
      'localhost',
      'localhost:80',
      `localhost.evil.example:${port}`,
      `evil.localhost:${port}`,
      `localhost:${port}.evil.example`,
      `127.0.0.2:${port}`,
      `0.0.0.0:${port}`,
      `[::]:${port}`,
      `user@localhost:${port}`,
      `LOCALHOST.:${port}`,
      '',
    ]
    for (const host of hosts) {
      for (const path of PATHS) {
        const headers = path === '/v1/events' ? [...UPGRADE, origin()] : [bearer()]
        const { status, body } = await ask('GET', path, { host, headers })
        expect([400, 403], `${host} ${path}: ${status}`).toContain(status)
        expect(body).not.toContain('<script')
      }
    }
  })

  test('absent, doubled or elsewhere in the request line is refused', async () => {
    const good = `Host: localhost:${port}`
    const requests = {
      absent: ['GET / HTTP/1.0'],
      absolute: [`GET http://localhost:${port}/v1/status HTTP/1.1`, good, bearer()],
      elsewhere: ['GET http://evil.example/v1/status HTTP/1.1', good, bearer()],
      slashes: ['GET //evil.example/v1/status HTTP/1.1', good, bearer()],
      'second is good': ['GET /v1/status HTTP/1.1', 'Host: evil.example', good, bearer()],
      forwarded: [
        'GET /v1/status HTTP/1.1',
        'Host: evil.example',
        `X-Forwarded-Host: localhost:${port}`,
        bearer(),
      ],
      connect: [`CONNECT localhost:${port} HTTP/1.1`, good],
    }
    for (const [name, lines] of Object.entries(requests)) {
      const { status } = await rawHttp(port, lines)
      expect([0, 400, 403], `${name}: ${status}`).toContain(status)
    }
  })
})

describe('the Origin', () => {
  const FOREIGN = (): (string | null)[] => [
    null,
    'null',
    '',
    'http://evil.example',
    'http://localhost',
    `http://localhost:${port + 1}`,
    `https://localhost:${port}`,
    `http://127.0.0.1:${port}`,
    `http://localhost:${port}/`,
    `http://localhost:${port}.evil.example`,
    `HTTP://LOCALHOST:${port}`,
    `http://localhost:${port}, http://evil.example`,
    'file://',
    'chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  ]

  test('of a write is the page itself', async () => {
    const before = (await rig.service('api')).generation
    for (const foreign of FOREIGN()) {
      const headers = [bearer(), JSON_TYPE, ...(foreign === null ? [] : [`Origin: ${foreign}`])]
      for (const [method, path] of [
        ['POST', RESTART],
        ['POST', `/v1/ports/${port}/free`],
        ['DELETE', '/v1/projects/shop'],
      ] as const) {
        expect(
          (await ask(method, path, { headers, body: '{}' })).status,
          `${foreign} ${method} ${path}`,
        ).toBe(403)
      }
    }
    expect(await rig.service('api')).toMatchObject({ state: 'ready', generation: before })
    const own = await ask('POST', RESTART, { headers: [bearer(), JSON_TYPE, origin()], body: '{}' })
    expect(own.status).toBe(200)
    await rig.eventually(async () => (await rig.service('api')).generation === before + 1)
  })

  test('twice in a request is refused, in whichever order', async () => {
    const evil = 'Origin: http://evil.example'
    for (const [first, second] of [
      [origin(), evil],
      [evil, origin()],
    ] as const) {
      const write = { headers: [bearer(), JSON_TYPE, first, second], body: '{}' }
      expect((await ask('POST', RESTART, write)).status).toBe(403)
      expect((await ask('GET', '/v1/events', { headers: [...UPGRADE, first, second] })).status).toBe(403)
    }
  })

  test('of an upgrade is the page itself', async () => {
    for (const foreign of FOREIGN()) {
      const headers = [...UPGRADE, ...(foreign === null ? [] : [`Origin: ${foreign}`])]
      expect((await ask('GET', '/v1/events', { headers })).status, String(foreign)).toBe(403)
    }
    expect((await ask('GET', '/v1/other', { headers: [...UPGRADE, origin()] })).status).toBe(400)
  })
})

describe('a write', () => {
  test('has a content type that no form can send', async () => {
    const types = [
      null,
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/json',
      'application/jsonp',
      'text/plain; application/json',
    ]
    for (const type of types) {
      const headers = [bearer(), origin(), ...(type === null ? [] : [`Content-Type: ${type}`])]
      expect((await ask('POST', RESTART, { headers, body: '{}' })).status, String(type)).toBe(403)
      expect((await ask('DELETE', '/v1/projects/shop', { headers, body: '{}' })).status, String(type)).toBe(
        403,
      )
    }
  })

  test('is a POST or a DELETE: no other method, and no GET, changes anything', async () => {
    const headers = [bearer(), origin(), JSON_TYPE]
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'TRACE']) {
      const { status } = await ask(method, RESTART, { headers, body: method === 'TRACE' ? '' : '{}' })
      expect(status, method).toBeGreaterThanOrEqual(400)
    }
    const before = (await rig.service('api')).generation
    for (const method of ['GET', 'HEAD'])
      expect(
        (await ask(method, RESTART, { headers: [...headers, 'X-HTTP-Method-Override: POST'] })).status,
      ).toBe(400)
    expect((await rig.service('api')).generation).toBe(before)
  })

  test('cannot name a command, see an environment or end the daemon', async () => {
    const headers = [bearer(), origin(), JSON_TYPE]
    const body = JSON.stringify({
      dir: rig.dir,
      config: null,
      env: {},
      services: [],
      watch: false,
      autoPorts: false,
      detached: true,
      limits: { nofile: null, umask: 18 },
    })
    for (const [method, path] of [
      ['POST', '/v1/projects'],
      ['POST', '/v1/check'],
      ['GET', '/v1/projects/shop/env'],
      ['POST', '/v1/daemon/stop'],
      ['GET', '/v1/dashboard'],
    ] as const) {
      const { status, body: answer } = await ask(method, path, {
        headers,
        body: method === 'GET' ? '' : body,
      })
      expect(status, path).toBe(403)
      expect(answer, path).not.toContain(token)
    }
    expect((await rig.status()).daemon).not.toBeNull()
  })
})

describe('an answer', () => {
  test('allows no other site: no CORS header, whatever is asked', async () => {
    const preflight = [
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: authorization,content-type',
      'Access-Control-Request-Private-Network: true',
      'Origin: http://evil.example',
    ]
    const answers = [
      await ask('OPTIONS', RESTART, { headers: preflight }),
      await ask('OPTIONS', RESTART, { headers: [bearer(), ...preflight] }),
      await ask('GET', '/v1/status', { headers: [bearer(), 'Origin: http://evil.example'] }),
      await ask('GET', '/', { headers: ['Origin: http://evil.example'] }),
    ]
    for (const { headers } of answers)
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    // What asks before it sends is told no.
    for (const { status } of answers.slice(0, 2)) expect(status).toBeGreaterThanOrEqual(400)
  })

  test('carries the policy and nosniff: page, asset, API, every refusal and what is not there', async () => {
    const page = await ask('GET', '/')
    const [asset = ''] = /\/assets\/[\w.-]+\.js/.exec(page.body) ?? []
    expect(page.body).toContain('<div id="root">')
    // The policy forbids what is inline, so nothing may be.
    expect(page.body).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\son\w+=|style=/)
    const upgrade = (...more: string[]) =>
      ask('GET', '/v1/events', { headers: [...UPGRADE.slice(0, 3), ...more] })
    const refused = {
      token: await ask('GET', '/v1/status'),
      host: await ask('GET', '/', { host: 'evil.example' }),
      'no host': await rawHttp(port, ['GET / HTTP/1.1']),
      method: await ask('POST', '/', { headers: [origin(), JSON_TYPE], body: '{}' }),
      'unknown method': await ask('PUT', RESTART, { headers: [bearer(), origin()], body: '{}' }),
      expectation: await ask('GET', '/nothing', { headers: ['Expect: a miracle'] }),
      missing: await ask('GET', '/nothing'),
      'no route': await ask('GET', '/v1/nothing', { headers: [bearer()] }),
      'no JSON': await ask('POST', `/v1/ports/${port}/free`, {
        headers: [bearer(), origin(), JSON_TYPE],
        body: '{',
      }),
      'upgrade from elsewhere': await upgrade('Origin: http://evil.example'),
      'upgrade to what is not there': await ask('GET', '/v1/other', { headers: [...UPGRADE, origin()] }),
      'upgrade without a key': await upgrade(origin()),
      'upgrade by POST': await ask('POST', '/v1/events', { headers: [...UPGRADE, origin()] }),
    }
    for (const [name, { status }] of Object.entries(refused)) expect(status, name).toBeGreaterThanOrEqual(400)
    const answered = {
      page,
      asset: await ask('GET', asset),
      head: await ask('HEAD', '/'),
      api: await ask('GET', '/v1/status', { headers: [bearer()] }),
      logs: await ask('GET', '/v1/services/shop/api/logs', { headers: [bearer()] }),
    }
    expect(answered.asset.headers.get('content-type')).toContain('text/javascript')
    for (const [name, { headers }] of Object.entries({ ...answered, ...refused })) {
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy, name).toContain("default-src 'self'")
      expect(policy, name).toContain("frame-ancestors 'none'")
      expect(policy, name).not.toMatch(/unsafe|\*|data:/)
      expect(headers.get('x-content-type-options'), name).toBe('nosniff')
      expect(headers.get('cross-origin-resource-policy'), name).toBe('same-origin')
    }
  })

  test('is a file of the page and no other of the disk', async () => {
    const paths = [
      '/../main.js',
      '/../manifest.json',
      '/..%2fmain.js',
      '/%2e%2e/main.js',
      '/assets/../../main.js',
      '/....//main.js',
      '/assets',
      '/assets/',
      '/index.html%00.js',
      '/\\..\\main.js',
      '/etc/passwd',
    ]
    for (const path of paths) {
      const { status, body } = await ask('GET', path)
      expect([400, 404], `${path}: ${status}`).toContain(status)
      expect(body, path).not.toContain('import')
    }
  })

  test('never has the value of a variable', async () => {
    const status = await ask('GET', '/v1/status', { headers: [bearer()] })
    const logs = await ask('GET', '/v1/services/shop/api/logs', { headers: [bearer()] })
    const { events } = await listen(JSON.stringify({ token, projects: [], logs: true, lease: null }))
    expect(logs.body).toContain('started')
    for (const text of [status.body, logs.body, JSON.stringify(events)]) expect(text).not.toContain(SECRET)
  })
})

test('neither the token nor the value of a variable is in any log', () => {
  const files = readdirSync(rig.stateDir, { recursive: true, withFileTypes: true })
  const logs = files.filter((file) => file.isFile() && file.name.endsWith('.log'))
  const texts = logs.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  expect(texts.join('')).toContain('started')
  for (const text of texts) {
    expect(text).not.toContain(SECRET)
    expect(text).not.toContain(token)
  }
})

describe('a body', () => {
  const free = (): string => `/v1/ports/${port}/free`

  test('of a stranger is not waited for: the answer comes before it', async () => {
    const huge = [`Content-Length: ${8 * 2 ** 40}`, JSON_TYPE]
    expect((await ask('POST', RESTART, { headers: [...huge, origin()] })).status).toBe(401)
    expect((await ask('POST', free(), { headers: [...huge, bearer()] })).status).toBe(403)
  })

  test('of more than 8 MiB, or of no length, is refused unread', async () => {
    const headers = [bearer(), origin(), JSON_TYPE]
    for (const length of [`Content-Length: ${8 * 2 ** 20 + 1}`, 'Transfer-Encoding: chunked']) {
      const { status, body } = await ask('POST', free(), { headers: [...headers, length] })
      expect({ status, body }, length).toMatchObject({
        status: 400,
        body: expect.stringContaining('content-length'),
      })
    }
  })

  test('cannot hide a second request', async () => {
    const hidden = `0\r\n\r\nGET /v1/status HTTP/1.1\r\nHost: localhost:${port}\r\n${bearer()}\r\n\r\n`
    const headers = [bearer(), origin(), JSON_TYPE, 'Transfer-Encoding: chunked']
    const { status, body } = await ask('POST', free(), { headers, body: hidden })
    expect([0, 400]).toContain(status)
    expect(body).not.toContain('"projects"')
  })
})

test('a message of more than 1 MiB ends the stream', async () => {
  const { code, events } = await listen(Buffer.alloc(1024 * 1024 + 1, 0x20))
  expect({ code, events }).toEqual({ code: 1009, events: [] })
})
