import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import ts from 'typescript'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { bindDatagram } from '../../native/index.ts'
import { locate } from '../../native/locate.ts'
import { scrubbed } from '../rig/environment.ts'

let folder = ''
const children: ChildProcess[] = []
const servers: net.Server[] = []

/** The library as users run it: plain JavaScript, in a folder without anything else. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devsock-activation-'))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const name of ['activation', 'index', 'locate']) {
    const source = await readFile(new URL(`../../native/${name}.ts`, import.meta.url), 'utf8')
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
        verbatimModuleSyntax: true,
      },
    })
    await writeFile(join(folder, `${name}.js`), outputText)
  }
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  for (const server of servers.splice(0)) server.close()
})
afterAll(() => rm(folder, { recursive: true }))

interface Given {
  /** Passed at fd 3 … */
  sockets?: net.Server[]
  env?: Record<string, string>
  /** LISTEN_PID; the child's own unless said. */
  pid?: string
}

/** Runs `code` with the library imported as `activation`; the JSON lines that it prints. */
function run(
  code: string,
  { sockets = [], env = {}, pid = '$$' }: Given = {},
): AsyncIterableIterator<unknown> {
  const module = `import * as activation from ${JSON.stringify(join(folder, 'activation.js'))}
    import net from 'node:net'
    const say = (value) => console.log(JSON.stringify(value))
    ${code}`
  const fds = sockets.map((server): number => {
    const handle: unknown = Reflect.get(server, '_handle')
    return Number(Reflect.get(handle as object, 'fd'))
  })
  const listen: Record<string, string> = sockets.length > 0 ? { LISTEN_FDS: String(sockets.length) } : {}
  // exec keeps the shell's pid: LISTEN_PID is exact.
  const script = sockets.length > 0 ? `export LISTEN_PID=${pid}; exec "$@"` : 'exec "$@"'
  const child = spawn(
    '/bin/sh',
    ['-c', script, 'sh', process.execPath, '--input-type=module', '-e', module],
    {
      env: scrubbed({ DEVSOCK_NATIVE_DIR: dirname(locate('devsock.node')), ...listen, ...env }),
      stdio: ['ignore', 'pipe', 'inherit', ...fds],
    },
  )
  children.push(child)
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      const { value, done } = await lines.next()
      return done ? { value: undefined, done: true } : { value: JSON.parse(value), done: false }
    },
  }
}

async function said(code: string, given?: Given): Promise<unknown> {
  return (await run(code, given).next()).value
}

async function listening(where: net.ListenOptions): Promise<net.Server> {
  const server = net.createServer()
  server.listen(where)
  await once(server, 'listening')
  servers.push(server)
  return server
}

const portOf = (server: net.Server): number => (server.address() as AddressInfo).port

test('passed sockets are found, by order and by name, and a child of the server does not find them', async () => {
  const sockets = [await listening({ port: 0 }), await listening({ port: 0 }), await listening({ port: 0 })]
  const answer = await said(
    `const all = activation.listenFds()
     say({ all, again: activation.listenFds(), names: [...activation.listenFdsWithNames()],
       left: Object.keys(process.env).filter((name) => name.startsWith('LISTEN_')) })`,
    { sockets, env: { LISTEN_FDNAMES: 'http:admin:http' } },
  )
  const all = [
    { fd: 3, name: 'http' },
    { fd: 4, name: 'admin' },
    { fd: 5, name: 'http' },
  ]
  expect(answer).toEqual({
    all,
    again: all,
    names: [
      ['http', [3, 5]],
      ['admin', [4]],
    ],
    left: [],
  })
})

test.each<[string, Given]>([
  ['LISTEN_PID is another process', { pid: '1' }],
  ['LISTEN_PID is no number', { pid: 'x' }],
  ['LISTEN_FDS is no number', { env: { LISTEN_FDS: '-1' } }],
  ['DEVSOCK=0', { env: { DEVSOCK: '0' } }],
])('nothing is taken when %s', async (_, given) => {
  const sockets = [await listening({ port: 0 })]
  expect(await said('say(activation.listenFds())', { sockets, ...given })).toEqual([])
})

test('a number that is no socket any more is not taken for one', async () => {
  const sockets = [await listening({ port: 0 })]
  expect(await said('say(activation.listenFds())', { sockets, env: { LISTEN_FDS: '40' } })).toEqual([
    { fd: 3, name: 'unknown' },
  ])
})

test('listen serves the passed sockets by name, each once, and then a port', async () => {
  const [http, admin] = [
    await listening({ port: 0, host: '127.0.0.1' }),
    await listening({ port: 0, host: '127.0.0.1' }),
  ]
  const lines = run(
    `const serve = (text) => net.createServer((socket) => socket.end(text))
     const a = await activation.listen(serve('admin'), { name: 'admin' })
     const b = await activation.listen(serve('http'))
     const c = await activation.listen(serve('third'), { port: 0 })
     say([a.port, b.port, c.port])`,
    { sockets: [http, admin], env: { LISTEN_FDNAMES: 'http:admin' } },
  )
  const [a, b, c] = (await lines.next()).value as number[]
  expect([a, b]).toEqual([portOf(admin), portOf(http)])
  // From here on only the child accepts.
  http.close()
  admin.close()
  const answers = await Promise.all([a, b, c].map((port) => ask(port ?? 0)))
  expect(answers).toEqual(['admin', 'http', 'third'])
})

test('by hand it binds its port, PORT where none is given, on this machine only', async () => {
  const taken = await listening({ port: 0, host: 'localhost' })
  const serve = 'const server = net.createServer()'
  expect(await said(`${serve}; say(await activation.listen(server, { port: 0 }))`)).toMatchObject({
    address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
  })
  const busy = `${serve}; activation.listen(server).catch((error) => say(error.code))`
  expect(await said(busy, { env: { PORT: String(portOf(taken)) } })).toBe('EADDRINUSE')
  const none = `${serve}; activation.listen(server).catch((error) => say(error.message))`
  expect(await said(none)).toContain('no port is known')
})

test('a passed listener keeps a queue of 4,096', async () => {
  const socket = await listening({ port: 0, host: '127.0.0.1' })
  const { connections } = await import('../../native/index.ts')
  const lines = run('say(await activation.listen(net.createServer()))', { sockets: [socket] })
  await lines.next()
  const [row] = connections({ localPort: portOf(socket), states: 'listening' })
  const most = Number(await readFile('/proc/sys/net/core/somaxconn', 'utf8'))
  expect(row?.sendQueue).toBe(Math.min(4096, most))
})

test('what was passed is told apart by kind, port and path', async () => {
  const path = join(folder, 'passed.sock')
  const [tcp, unix] = [await listening({ port: 0, host: '127.0.0.1' }), await listening({ path })]
  const port = portOf(tcp)
  const answer = await said(
    `const { isSocket, isSocketInet, isSocketUnix } = activation
     say([isSocket(3), isSocket(0), isSocket(99),
       isSocketInet(3), isSocketInet(3, { port: ${port} }), isSocketInet(3, { port: ${port} + 1 }), isSocketInet(3, { listening: false }), isSocketInet(4),
       isSocketUnix(4), isSocketUnix(4, { path: ${JSON.stringify(path)} }), isSocketUnix(4, { path: '/else' }), isSocketUnix(3)])`,
    { sockets: [tcp, unix] },
  )
  expect(answer).toEqual([true, false, false, true, true, false, false, false, true, true, false, false])
})

test('notify says it to whoever asked, as sd_notify does', async () => {
  const path = join(folder, 'notify.sock')
  using socket = bindDatagram(path)
  const answer = await said(
    `say([activation.notify({ ready: true, status: 'a\\nb' }), activation.notify({ reloading: true }),
       activation.notify('X_OWN=1'), activation.notify({ stopping: true, extendTimeoutMs: 1.5 })])`,
    { env: { NOTIFY_SOCKET: path } },
  )
  expect(answer).toEqual([true, true, true, true])
  const buffer = Buffer.alloc(4096)
  const next = (): string => buffer.toString('utf8', 0, readSync(socket.fd, buffer))
  expect(next()).toBe('READY=1\nSTATUS=a b')
  expect(next()).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/)
  expect(next()).toBe('X_OWN=1')
  expect(next()).toBe('STOPPING=1\nEXTEND_TIMEOUT_USEC=1500')
})

test('notify reaches nobody where nobody asked, and says so where it cannot', async () => {
  expect(await said('say(activation.notify({ ready: true }))')).toBe(false)
  expect(
    await said('say(activation.notify({ ready: true }))', { env: { NOTIFY_SOCKET: '/x', DEVSOCK: '0' } }),
  ).toBe(false)
  const tried =
    'try { activation.notify({ ready: true }) } catch (error) { say([error.code ?? error.name, error.message]) }'
  const gone = await said(tried, { env: { NOTIFY_SOCKET: join(folder, 'gone.sock') } })
  expect(gone).toEqual(['ENOENT', expect.stringContaining('gone.sock')])
  expect(await said(tried, { env: { NOTIFY_SOCKET: 'vsock:2:1234' } })).toEqual([
    'TypeError',
    expect.any(String),
  ])
})

test('without the addon it serves all the same, and notify says what is missing', async () => {
  const env = { DEVSOCK_NATIVE_DIR: folder, NOTIFY_SOCKET: '/x' }
  const socket = await listening({ port: 0 })
  const answer = await said(
    `const { port } = await activation.listen(net.createServer())
     try { activation.notify({ ready: true }) } catch (error) { say([port, error.message]) }`,
    { sockets: [socket], env },
  )
  expect(answer).toEqual([portOf(socket), expect.stringContaining('has no devsock.node')])
  expect(readdirSync(folder)).not.toContain('devsock.node')
})

async function ask(port: number): Promise<string> {
  const socket = net.connect(port, 'localhost')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}
