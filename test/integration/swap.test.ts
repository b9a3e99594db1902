/** A save under load: what each policy promises, and what clients meet when the saved code is broken. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Load } from '../rig/load.ts'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

async function withApi(more: object, source: string): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create({ files: { 'api.mjs': source } })
  const port = await rig.port()
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], ...more } })
  await rig.up()
  return { rig, port }
}

async function allAnswered(load: Load): Promise<Map<string, number>> {
  const { ok, sent, failures, bodies } = await load.stop()
  expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
  return bodies
}

/** Takes its time to start, as real servers do. */
const slowStart = (ms: number): string => `await new Promise((resolve) => setTimeout(resolve, ${ms}))`

test('under hold no connection that comes after the save is answered by the old code', async () => {
  const { rig, port } = await withApi({}, nodeServer('v1', slowStart(200)))
  await using _ = rig
  await rig.request(port)
  const load = rig.load({ port, path: '/slow', rate: 50 })
  await rig.eventually(() => load.result.ok > 0)
  for (let save = 2; save <= 6; save += 1) {
    await rig.edit('api.mjs', bump)
    // Takes the save in, and does not wait for the start: from here on the old code gets no connection.
    await rig.succeed('wait', 'api', '--for', 'held')
    expect((await rig.request(port)).body).toBe(`v${save}`)
    await rig.succeed('wait', 'api')
  }
  const bodies = await allAnswered(load)
  expect([...bodies.keys()]).toEqual(['v1', 'v2', 'v3', 'v4', 'v5', 'v6'])
  expect(await rig.service('api')).toMatchObject({ swaps: 5, lastSwap: { policy: 'hold', cut: 0 } })
})

test('under overlap the old generation answers until the next one is ready, and nobody waits', async () => {
  // Who waits for the start is told from who waits for the processor: half a second was seen, beside other tests.
  const START_MS = 1_500
  const { rig, port } = await withApi({ swap: 'overlap' }, nodeServer('v1', slowStart(START_MS)))
  await using _ = rig
  await rig.request(port)
  const load = rig.load({ port, rate: 100 })
  await rig.eventually(() => load.result.ok > 5)
  for (let save = 2; save <= 4; save += 1) {
    await rig.edit('api.mjs', bump)
    await rig.succeed('wait', 'api')
    expect((await rig.request(port)).body).toBe(`v${save}`)
  }
  await rig.eventually(() => load.result.bodies.has('v4'))
  const { slowestMs } = load.result
  expect([...(await allAnswered(load)).keys()]).toEqual(['v1', 'v2', 'v3', 'v4'])
  expect(slowestMs).toBeLessThan(START_MS)
})

test('under overlap a broken save leaves the old generation serving, says so, and the next good one replaces it', async () => {
  const { rig, port } = await withApi({ swap: 'overlap' }, nodeServer())
  await using _ = rig
  const up = rig.start('up', '--json')
  await rig.eventually(() => up.stdout.includes('"type":"snapshot"'))
  const pid = (await rig.request(port, '/pid')).body
  await rig.until('api', 'ready')
  const load = rig.load({ port, rate: 50 })
  await rig.edit('api.mjs', (text) => `throw new Error('broken')\n${text}`)
  const message = await rig.eventually(async () => {
    const { reason } = await rig.service('api')
    return reason.message.includes('goes on serving') && reason.message
  })
  expect(message).toBe('generation 2 failed: exit 1; generation 1 goes on serving')
  expect(await rig.service('api')).toMatchObject({ state: 'ready', generation: 1 })
  await rig.eventually(() => up.stdout.includes(`"message":"${message}"`), { what: 'the notice' })
  expect((await rig.request(port, '/pid')).body).toBe(pid)
  await rig.edit('api.mjs', (text) => bump(text).replace(/^throw.*\n/, ''))
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v2')
  await allAnswered(load)
  up.kill('SIGINT')
})

test('under exclusive there are never two at once, and nobody is refused', async () => {
  // A server of the kind that exclusive is for: it does not start where another one still is.
  const locked = nodeServer(
    'v1',
    `import { closeSync, openSync, unlinkSync, appendFileSync } from 'node:fs'
try { closeSync(openSync('lock', 'wx')) } catch { appendFileSync('collisions', version + '\\n'); process.exit(1) }
process.on('SIGTERM', () => { setTimeout(() => { unlinkSync('lock'); process.exit(0) }, 30) })`,
  )
  const { rig, port } = await withApi({ swap: 'exclusive' }, locked)
  await using _ = rig
  await rig.request(port)
  const load = rig.load({ port, path: '/slow', rate: 50 })
  await rig.eventually(() => load.result.ok > 3)
  for (let save = 2; save <= 6; save += 1) {
    await rig.edit('api.mjs', bump, save % 2 ? 'truncate' : 'atomic')
    await rig.succeed('wait', 'api')
    expect((await rig.request(port)).body).toBe(`v${save}`)
  }
  await allAnswered(load)
  expect(existsSync(join(rig.dir, 'collisions'))).toBe(false)
  expect((await rig.service('api')).lastSwap).toMatchObject({ policy: 'exclusive', cut: 0 })
})

test('saves that come faster than starts coalesce: the last one is served, and none in between for long', async () => {
  const { rig, port } = await withApi({}, nodeServer('v1', slowStart(100)))
  await using _ = rig
  await rig.request(port)
  const load = rig.load({ port, rate: 50 })
  for (let save = 2; save <= 30; save += 1) await rig.edit('api.mjs', bump, save % 2 ? 'truncate' : 'atomic')
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v30')
  await allAnswered(load)
  expect((await rig.service('api')).generation).toBeLessThan(30)
})

test('a broken save under hold is a page with the reason and the log; the next good one serves whoever waits', async () => {
  const { rig, port } = await withApi({}, nodeServer())
  await using _ = rig
  await rig.request(port)
  await rig.edit(
    'api.mjs',
    (text) => `console.error('\\x1b[31m<cause> of it\\x1b[0m'); process.exit(7)\n${text}`,
  )
  await rig.until('api', 'failed')
  const page = (accept: string, headers = {}) => rig.request(port, '/', { headers: { accept, ...headers } })

  const html = await page('text/html,application/xhtml+xml')
  expect(html.status).toBe(503)
  expect(html.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
    'x-devsock': 'failed',
  })
  expect(html.body).toContain('exit 7 before it was ready')
  expect(html.body).toContain('<span class="ansi-red-fg">&lt;cause&gt; of it</span>')
  expect(html.body).not.toContain('\x1b')

  const json = await page('application/json')
  expect(json.status).toBe(503)
  expect(json.json()).toMatchObject({
    v: 1,
    error: {
      code: 'service-failed',
      service: 'shop/api',
      message: 'exit 7 before it was ready; waits for a change in *.mjs',
      lines: [expect.stringContaining('<cause> of it')],
    },
  })
  const text = await page('*/*')
  expect([text.status, text.headers['content-type']]).toEqual([503, 'text/plain; charset=utf-8'])
  expect(text.body).toBe('shop/api: exit 7 before it was ready; waits for a change in *.mjs\n<cause> of it\n')
  // A page of another site that came here by DNS rebinding reads no log.
  expect((await page('text/html', { host: 'evil.example' })).body).not.toContain('of it')

  await rig.edit('api.mjs', (content) => bump(content).replace(/^console\.error.*\n/, ''))
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v2')
})

test('whoever waits for a start that fails is answered, in order, and the slot is given back as it was', async () => {
  // It would see EAGAIN where its slot were left non-blocking.
  const server = (text: string): string => `import os, socket, time
time.sleep(0.3)
${text}
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    connection.recv(4096)
    body = str(os.get_blocking(3)).encode()
    connection.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body) + body)
    connection.close()
`
  await using rig = await Rig.create({ files: { 'server.py': server('raise SystemExit(3)') } })
  const port = await rig.port()
  await rig.configure({ api: { command: ['python3', 'server.py'], listen: port, watch: ['*.py'] } })
  await rig.up()
  const asked: Promise<unknown>[] = []
  const answered: number[] = []
  for (let nth = 0; nth < 20; nth += 1) {
    const connection = connect(port, '127.0.0.1').setEncoding('utf8')
    await once(connection, 'connect')
    connection.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    asked.push(
      once(connection, 'data').then(([text]) => {
        expect(text).toMatch(/^HTTP\/1\.1 503 [\s\S]*exit 3 before it was ready/)
        answered.push(nth)
        connection.destroy()
      }),
    )
  }
  await Promise.all(asked)
  expect(answered).toEqual(asked.map((_, nth) => nth))
  await rig.write({ 'server.py': server('') })
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('True')
})

test('while broken saves come and go under load every client gets an answer', async () => {
  const { rig, port } = await withApi({}, nodeServer())
  await using _ = rig
  await rig.request(port)
  const load = rig.load({ port, rate: 80, deadline: 5_000 })
  for (let round = 0; round < 4; round += 1) {
    await rig.edit('api.mjs', (text) => `process.exit(1)\n${text}`)
    await rig.until('api', 'failed')
    await rig.edit('api.mjs', (text) => bump(text).replace(/^process.*\n/, ''))
    await rig.succeed('wait', 'api')
  }
  const { sent, ok, answered, failures } = await load.stop()
  expect(ok + answered, failures.join('\n')).toBe(sent)
  expect(answered).toBeGreaterThan(0)
  expect((await rig.request(port)).body).toBe('v5')
})

test('an answer that is under way is finished by the generation that began it; past the drain deadline it is cut and counted', async () => {
  const slow = nodeServer(
    'v1',
    `import { existsSync } from 'node:fs'
const finish = (response) => { const timer = setInterval(() => {
  if (!existsSync('finish')) return
  clearInterval(timer); response.end(version) }, 5) }`,
  ).replace(
    "if (request.url === '/slow')",
    "if (request.url === '/held') { finish(response) } else if (request.url === '/slow')",
  )
  const { rig, port } = await withApi({ drain: '20s' }, slow)
  await using _ = rig
  const under = rig.request(port, '/held', { deadline: 20_000 }).catch((error: Error) => error)
  await rig.until('api', 'ready')
  await rig.edit('api.mjs', bump)
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v2')
  await rig.write({ finish: '' })
  expect(await under).toMatchObject({ body: 'v1' })
  await rig.eventually(
    async () => (await rig.processes()).filter(({ command }) => command.includes('api.mjs')).length === 1,
  )
  expect((await rig.service('api')).lastSwap).toMatchObject({ from: 1, to: 2, cut: 0 })

  await unlink(join(rig.dir, 'finish'))
  await rig.configure({
    api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], drain: '200ms' },
  })
  // Until the file is read again its news is not in force.
  await rig.up()
  const cut = rig.request(port, '/held').catch((error: NodeJS.ErrnoException) => error.code)
  await rig.eventually(async () => (await rig.service('api')).sockets[0]?.open === 1)
  await rig.edit('api.mjs', bump)
  expect(await cut).toBe('ECONNRESET')
  await rig.eventually(async () => (await rig.service('api')).lastSwap?.cut === 1)
  expect(await readFile(join(rig.dir, 'api.mjs'), 'utf8')).toContain("'v3'")
})
