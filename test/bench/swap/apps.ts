import { providePackages } from '../../integration/servers/packages.ts'
import type { Files, Rig } from '../../rig/rig.ts'
import { buildStaticGo } from '../../rig/static-go.ts'

/** A server as its author would write it. It answers `v1`; a save of `file` makes that another number. */
export interface App {
  name: string
  file: string
  files: Files
  /** Reads $PORT. */
  command: string
  /** For Node, whose peers run the file and not a command. */
  isNode: boolean
  prepare?: (rig: Rig) => Promise<void>
}

/** Bytes of the streamed answer, and how many writes it takes, 10 ms apart: it is under way in every save. */
export const BIG = 1024 * 1024
const CHUNKS = 8

const GRACEFUL = `function close() {
  for (const socket of sockets.clients) socket.close(1012)
  server.close(() => process.exit())
}
process.once('SIGTERM', close)
process.once('SIGINT', close)
`

/** `graceful`: it closes on a signal, as the manuals of Express, pm2 and Server::Starter advise. */
export const express = (graceful: boolean): App => ({
  name: graceful ? 'Express, closes gracefully' : 'Express',
  file: 'app.js',
  command: 'node app.js',
  isNode: true,
  files: {
    'package.json': JSON.stringify({ dependencies: { express: '*', ws: '*' } }),
    'app.js': `const { Readable, pipeline } = require('node:stream')
const { setTimeout: pause } = require('node:timers/promises')
const express = require('express')
const { WebSocketServer } = require('ws')
const VERSION = 'v1'
const app = express()
app.get('/', (request, response) => response.send(VERSION))
app.get('/slow', (request, response) => setTimeout(() => response.send(VERSION), 150))
app.get('/big', (request, response) => pipeline(Readable.from(big()), response, () => {}))
async function* big() {
  const chunk = Buffer.alloc(${BIG / CHUNKS}, 32)
  yield Buffer.concat([Buffer.from(VERSION), chunk.subarray(VERSION.length)])
  for (let sent = 1; sent < ${CHUNKS}; sent++) yield (await pause(10), chunk)
}
// Server::Starter says where the socket is: "0.0.0.0:8000=3".
const starter = process.env.SERVER_STARTER_PORT?.split('=')[1]
const server = app.listen(starter ? { fd: Number(starter) } : process.env.PORT)
const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket) => socket.on('message', () => socket.send(VERSION)))
${graceful ? GRACEFUL : ''}`,
  },
  prepare: (rig) => providePackages('linked', rig.dir),
})

const python = '/usr/bin/python3'
const WSGI = `def app(environ, start):
    body = b'v1'
    start('200 OK', [('Content-Length', str(len(body)))])
    return [body]
`
const ASGI = `async def app(scope, receive, send):
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'v1'})
`
const FLASK = `from flask import Flask
app = Flask(__name__)
@app.get('/')
def root(): return 'v1'
`
const other = (name: string, command: string, file: string, content: string, files: Files = {}): App => ({
  name,
  command,
  file,
  files: { [file]: content, ...files },
  isNode: false,
})

/** By their ordinary commands, none of them with a reloader of its own. */
export const others: readonly App[] = [
  other('Flask', `${python} -m flask --app app run --port $PORT`, 'app.py', FLASK),
  other('gunicorn, two workers', '/usr/bin/gunicorn -w 2 -b 127.0.0.1:$PORT app:app', 'app.py', WSGI),
  other('uvicorn', `${python} -m uvicorn app:app --port $PORT --log-level warning`, 'app.py', ASGI),
  other('puma', 'puma -q -p $PORT', 'config.ru', 'run ->(env) { [200, {}, ["v1"]] }'),
  other('php -S', 'php -q -S localhost:$PORT', 'index.php', '<?php echo "v1";'),
  {
    ...other('Go, static', './server', 'version.txt', 'v1'),
    prepare: (rig) => buildStaticGo(rig.dir, 'version.txt'),
  },
]
