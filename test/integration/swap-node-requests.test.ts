/** What becomes of a connection that is in the middle of something when its Node server is swapped. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { signal } from '../rig/processes.ts'
import type { Rig } from '../rig/rig.ts'
import { bump } from '../rig/servers.ts'
import { armed, swapOnSave, taken } from '../rig/swap.ts'
import { get, Wire } from '../rig/wire.ts'

/** `/held` is answered once the file `finish` is there; `/echo` with its body. */
const SERVER = `
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
const version = 'v1'
createServer((request, response) => {
  if (request.url === '/held') {
    const timer = setInterval(() => {
      if (!existsSync('finish')) return
      clearInterval(timer)
      response.end(version)
    }, 5)
  } else if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: ' + version + '\\n\\n')
    setInterval(() => response.write('data: more\\n\\n'), 5)
  } else {
    let body = ''
    request.on('data', (chunk) => { body += chunk })
    request.on('end', () => response.end(version + body))
  }
}).listen({ fd: 3 })
`

async function scene(source = SERVER, files = {}): Promise<{ rig: Rig; port: number }> {
  const { rig, port } = await swapOnSave(source, { drain: '20s' }, files)
  await rig.succeed('start', 'api')
  await taken(rig)
  return { rig, port }
}

const WS = new URL('../../node_modules/ws/wrapper.mjs', import.meta.url)

function selfSigned(): Record<string, string> {
  const options = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 1'
  const pem = execFileSync('openssl', ['req', '-x509', '-keyout', '-', ...options.split(' ')], {
    stdio: 'pipe',
  })
  const [key = '', cert = ''] = String(pem).split(/(?=-----BEGIN CERT)/)
  return { 'key.pem': key, 'cert.pem': cert }
}

/** Waits until nothing of the old generation is left. */
const oldIsGone = (rig: Rig): Promise<unknown> =>
  rig.eventually(
    async () => (await rig.processes()).filter(({ command }) => command.includes('api.mjs')).length === 1,
  )

test('a request under way is answered by the generation that has it, the next one on that connection by the next', async () => {
  const { rig, port } = await scene()
  await using _ = rig
  using wire = await Wire.open({ port })
  wire.send(get('/held'))
  await rig.eventually(async () => (await rig.service('api')).sockets[0]?.open === 1)
  await rig.edit('api.mjs', bump)
  await taken(rig)
  // Sent before the answer: the old generation does not read it any more.
  wire.send(get('/'))
  await rig.write({ finish: '' })
  expect([await wire.answer(), await wire.answer()]).toEqual(['v1', 'v2'])
  await oldIsGone(rig)
  expect((await rig.service('api')).lastSwap).toMatchObject({ moved: 1, cut: 0 })
})

test('pipelined requests are answered in their order by the generation that has read them', async () => {
  const { rig, port } = await scene()
  await using _ = rig
  using wire = await Wire.open({ port })
  wire.send(get('/held') + get('/') + get('/held'))
  await rig.eventually(async () => (await rig.service('api')).sockets[0]?.open === 1)
  await rig.edit('api.mjs', bump)
  await taken(rig)
  await rig.write({ finish: '' })
  expect([await wire.answer(), await wire.answer(), await wire.answer()]).toEqual(['v1', 'v1', 'v1'])
  expect(await wire.ask()).toBe('v2')
  await oldIsGone(rig)
})

test('what is half received is received and answered, and the connection goes on: a head, a body, chunks, 100-continue', async () => {
  const { rig, port } = await scene()
  await using _ = rig
  const post = (more: string) => `POST / HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`
  const halves: [string, string, string][] = [
    ['GET / HTTP/1.1\r\nHo', 'st: localhost\r\n\r\n', 'v1'],
    [`${post('Content-Length: 6\r\n')}abc`, 'def', 'v1abcdef'],
    [`${post('Transfer-Encoding: chunked\r\n')}3\r\nab`, 'c\r\n0\r\n\r\n', 'v1abc'],
    [post('Content-Length: 3\r\nExpect: 100-continue\r\n'), 'xyz', 'v1xyz'],
  ]
  const wires = await Promise.all(halves.map(() => Wire.open({ port })))
  for (const [at, wire] of wires.entries()) wire.send(halves[at]?.[0] ?? '')
  await wires[3]?.take(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
  // The others came before: a server reads its connections in turn.
  await rig.request(port)
  await rig.edit('api.mjs', bump)
  await taken(rig)
  expect(await rig.request(port)).toMatchObject({ body: 'v2' })
  for (const [at, wire] of wires.entries()) wire.send(halves[at]?.[1] ?? '')
  expect(await Promise.all(wires.map((wire) => wire.answer()))).toEqual(halves.map(([, , answer]) => answer))
  expect(await Promise.all(wires.map((wire) => wire.ask()))).toEqual(halves.map(() => 'v2'))
  await oldIsGone(rig)
  for (const wire of wires) wire[Symbol.dispose]()
  expect((await rig.service('api')).lastSwap).toMatchObject({ moved: 4, cut: 0 })
})

test('an event stream ends cleanly, whatever its program still writes to it, and its connection goes on', async () => {
  const { rig, port } = await scene()
  await using _ = rig
  using wire = await Wire.open({ port })
  wire.send(get('/events'))
  await wire.take(/data: v1\n\n/)
  await rig.edit('api.mjs', bump)
  await wire.take(/\r\n0\r\n\r\n/)
  await taken(rig)
  expect(await wire.ask()).toBe('v2')
  await oldIsGone(rig)
  expect(await rig.service('api')).toMatchObject({ crashes: 0, lastSwap: { moved: 1, cut: 0 } })
})

test('a WebSocket is closed with 1012, and its server hears of it as of any other close', async () => {
  const { rig, port } = await scene(`
import { createServer } from 'node:http'
import { WebSocketServer } from '${WS}'
const version = 'v1'
const server = createServer((_, response) => response.end(version))
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.send(version)
  socket.on('close', (code) => console.log('closed ' + code))
})
server.listen({ fd: 3 })
`)
  await using _ = rig
  using __ = { [Symbol.dispose]: () => socket.terminate() }
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  expect(String((await once(socket, 'message'))[0])).toBe('v1')
  const closed = once(socket, 'close')
  await rig.edit('api.mjs', bump)
  expect((await closed)[0]).toBe(1012)
  await taken(rig)
  await oldIsGone(rig)
  expect(await rig.devsock('logs', 'api', '--generation', '1')).toMatchObject({
    stdout: expect.stringContaining('closed 1012'),
  })
  expect((await rig.service('api')).lastSwap).toMatchObject({ cut: 0 })
})

test('HTTP/2 gets GOAWAY: what is under way is answered', async () => {
  const { rig, port } = await scene(`
import { existsSync } from 'node:fs'
import { createServer } from 'node:http2'
const version = 'v1'
createServer({}, (request, response) => {
  const timer = setInterval(() => {
    if (request.url === '/held' && !existsSync('finish')) return
    clearInterval(timer)
    response.end(version)
  }, 5)
}).listen({ fd: 3 })
`)
  await using _ = rig
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  const goaway = once(session, 'goaway')
  const stream = session.request({ ':path': '/held' })
  let body = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    body += text
  })
  const ended = once(stream, 'end')
  await rig.until('api', 'ready')
  await rig.edit('api.mjs', bump)
  expect((await goaway)[0]).toBe(0)
  await rig.write({ finish: '' })
  await ended
  expect(body).toBe('v1')
  await taken(rig)
  await oldIsGone(rig)
  expect((await rig.service('api')).lastSwap).toMatchObject({ cut: 0 })
})

/** As `scene`, of an HTTPS server; with what opens connections to it. */
async function secureScene() {
  const options = "{ key: readFileSync('key.pem'), cert: readFileSync('cert.pem') }"
  const server = SERVER.replace('node:http', 'node:https')
    .replace('createServer((request', `createServer(${options}, (request`)
    .replace('import { existsSync }', 'import { existsSync, readFileSync }')
  const { rig, port } = await scene(server, selfSigned())
  const connect = () => connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const open = async () => {
    const socket = connect()
    await once(socket, 'secureConnect')
    return socket
  }
  return { rig, connect, open }
}

test('TLS: an idle connection is closed, a busy one is told Connection: close', async () => {
  const { rig, open } = await secureScene()
  await using _ = rig
  const [idle, busy] = [await open(), await open()]
  // In one record with what is answered, so it has been read by then.
  busy.write(get('/') + get('/held'))
  await once(busy, 'data')
  idle.write(get('/'))
  await once(idle, 'data')
  idle.resume()
  const idleEnded = once(idle, 'end')
  await rig.edit('api.mjs', bump)
  await idleEnded
  const [answer, busyEnded] = [once(busy, 'data'), once(busy, 'end')]
  await rig.write({ finish: '' })
  expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i)
  await busyEnded
  await taken(rig)
  await oldIsGone(rig)
  expect((await rig.service('api')).lastSwap).toMatchObject({ cut: 0 })
})

test('TLS: who had sent a request, or just come for one, is answered; who comes then is the next generation’s', async () => {
  const { rig, connect, open } = await secureScene()
  await using _ = rig
  const [used, fresh] = [await open(), await open()]
  used.write(get('/'))
  await once(used, 'data')
  await armed(rig)
  const pid = (await rig.service('api')).pid ?? 0
  const devsock = [await rig.daemonPid(), await rig.holderPid()]
  for (const each of [...devsock, pid]) signal(each, 'SIGSTOP')
  await rig.edit('api.mjs', bump)
  // The old generation has all this to read when it hears of the save.
  const late = connect()
  await once(late, 'connect')
  const answers = [used, fresh].map(async (socket) => {
    socket.write(get('/'))
    const [answer] = await once(socket, 'data')
    return String(answer)
  })
  late.write(get('/'))
  const lateAnswer = once(late, 'data')
  signal(pid, 'SIGCONT')
  for (const answer of await Promise.all(answers)) {
    expect(answer).toMatch(/connection: close/i)
    expect(answer).toMatch(/v1$/)
  }
  for (const each of devsock) signal(each, 'SIGCONT')
  expect(String(await lateAnswer)).toMatch(/v2$/)
  late.destroy()
  await taken(rig)
  await oldIsGone(rig)
  expect((await rig.service('api')).lastSwap).toMatchObject({ moved: 1, cut: 0 })
})
