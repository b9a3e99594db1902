/** When a service counts as ready: each sign by itself, and what is said when it does not come. */
import { describe, expect, test } from 'vitest'
import { CHECKOUT, Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

/** Accepts at once, and says that it is ready only when a file `go` is there. */
const patient = (say: string): string =>
  nodeServer(
    'v1',
    `
import { existsSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
const waiting = setInterval(() => {
  if (!existsSync('go')) return
  clearInterval(waiting);
  ${say}
}, 5)`,
  )

const python = `
import os, socket, time
listener = socket.socket(fileno=3)
while not os.path.exists('go'): time.sleep(0.005)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    path = os.environ['NOTIFY_SOCKET']
    out.sendto(b'READY=1', '\\0' + path[1:] if path[0] == '@' else path)
while True:
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nv1')
    client.close()
`

describe('a service is ready when it', () => {
  test.each([
    {
      sign: 'sends READY=1 (python)',
      ready: { notify: true },
      command: ['python3', 'server.py'],
      source: python,
    },
    {
      sign: 'sends READY=1 (systemd-notify, from a child)',
      ready: { notify: true },
      command: 'node server.mjs',
      source: patient(`execFileSync('systemd-notify', ['--ready', '--pid=parent'])`),
    },
    {
      sign: 'sends READY=1 (devsock/activation)',
      ready: { notify: true },
      command: ['node', 'server.mjs'],
      source: patient(`(await import('${CHECKOUT}/dist/native/activation.js')).notify('READY=1')`).replace(
        'setInterval(() =>',
        'setInterval(async () =>',
      ),
    },
    {
      sign: 'prints the line',
      ready: { log: 'ready in \\d+ ms' },
      command: 'node server.mjs',
      source: patient(`console.log('ready in 12 ms')`),
    },
    {
      sign: 'answers the request',
      ready: { http: '/health' },
      command: ['node', 'server.mjs'],
      source: nodeServer(
        'v1',
        `import { existsSync } from 'node:fs'
const handle = (request, response) => { response.statusCode = existsSync('go') ? 204 : 503 }`,
      ).replace(
        "if (request.url === '/slow')",
        "if (request.url === '/health') { handle(request, response); response.end() } else if (request.url === '/slow')",
      ),
    },
  ])('$sign', async ({ ready, command, source }) => {
    await using rig = await Rig.create({ files: { 'server.mjs': source, 'server.py': source } })
    const port = await rig.port()
    await rig.configure({
      api: { command, listen: port, start: 'eager', ready: { ...ready, timeout: '20s' } },
    })
    await rig.up()
    // It runs, it even accepts: that is not what was asked for.
    await rig.eventually(async () => (await rig.service('api')).pid !== null)
    const early = await rig.devsock('wait', 'api', '--timeout', '400ms')
    expect({ code: early.code, stderr: early.stderr }).toEqual({
      code: 124,
      stderr: expect.stringContaining('starting'),
    })
    await rig.write({ go: '' })
    await rig.succeed('wait', 'api')
    expect((await rig.service('api')).state).toBe('ready')
    expect((await rig.request(port)).body).toBe('v1')
  })

  test('takes a connection from its socket, one of devsock itself where nobody else came', async () => {
    await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
    const port = await rig.port()
    await rig.configure({
      api: {
        command: ['node', 'server.mjs'],
        listen: port,
        start: 'eager',
        swap: 'overlap',
        watch: ['*.mjs'],
      },
    })
    await rig.up()
    await rig.succeed('wait', 'api')
    expect((await rig.service('api')).generation).toBe(1)
    // Under overlap the probe reaches the new slot while clients are still sent to the old one.
    await rig.edit('server.mjs', bump)
    await rig.succeed('wait', 'api')
    expect((await rig.request(port)).body).toBe('v2')
    expect((await rig.service('api')).lastSwap).toMatchObject({ policy: 'overlap', cut: 0 })
  })
})

test.each([
  { ready: { notify: true }, says: 'no READY=1 within 2 s' },
  { ready: { log: 'never' }, says: 'no log line matched never within 2 s' },
  { ready: { http: '/broken' }, says: 'no answer below 500 from /broken within 2 s' },
])('a service that does not give its sign in time has failed: $says', async ({ ready, says }) => {
  const broken = nodeServer().replace(
    "if (request.url === '/slow')",
    "if (request.url === '/broken') { response.statusCode = 500; response.end() } else if (request.url === '/slow')",
  )
  await using rig = await Rig.create({ files: { 'server.mjs': broken } })
  const port = await rig.port()
  const api = {
    command: ['node', 'server.mjs'],
    listen: port,
    watch: ['*.mjs'],
    ready: { ...ready, timeout: '2s' },
  }
  await rig.configure({ api })
  await rig.up()
  // It accepts and even answers meanwhile: that is not the sign that was asked for.
  expect((await rig.request(port)).body).toBe('v1')
  await rig.until('api', 'failed')
  // What is being ended may answer a last time.
  const answer = await rig.eventually(async () => {
    const { status, body } = await rig.request(port)
    return status === 503 && body
  })
  expect(answer).toContain(says)
  expect(await rig.service('api')).toMatchObject({
    state: 'failed',
    pid: null,
    reason: { code: 'not-ready' },
  })
})
