import { once } from 'node:events'
import { beforeAll, expect } from 'vitest'
import { WebSocket } from 'ws'
import type { Rig } from '../../rig/rig.ts'
import { matrix, type Server } from './matrix.ts'
import { INSTALL_TIME, installPackages } from './packages.ts'

beforeAll(installPackages, INSTALL_TIME)

const HTTP = `import { createServer } from 'node:http'
createServer((request, response) => {
  console.log('from', request.socket.remoteAddress)
  response.end('v1')
}).listen(process.env.PORT)
`
const LOGS = /from (::ffff:)?127\.0\.0\.1/
const NODE = ['node', '--version']
const MODULE = { type: 'module', scripts: { dev: 'node server.mjs' } }
const packageVersion = (name: string): string[] => [
  'node',
  '-p',
  `JSON.parse(fs.readFileSync('node_modules/${name}/package.json')).version`,
]

const plain = (name: string, command: string, more: Partial<Server> = {}): Server => ({
  name,
  version: NODE,
  files: { 'package.json': MODULE, 'server.mjs': HTTP },
  command,
  logs: LOGS,
  ...more,
})

const withPackage = (name: string, source: string): Server => ({
  name,
  version: packageVersion(name),
  files: { 'package.json': MODULE, 'server.mjs': source },
  command: 'npm run dev',
  packages: 'linked',
})

const cluster = (policy: string): string => `import cluster from 'node:cluster'
cluster.schedulingPolicy = cluster.${policy}
if (cluster.isPrimary) for (let i = 0; i < 2; i++) cluster.fork()
else await import('./server.mjs')
`

/** An edit reaches the browser over the dev server's own WebSocket. */
async function viteUpdates(rig: Rig, port: number): Promise<void> {
  expect((await rig.request(port, '/main.js')).body).toContain('v1')
  const socket = new WebSocket(`ws://localhost:${port}/`, 'vite-hmr')
  const messages: string[] = []
  socket.on('message', (data) => messages.push(JSON.parse(String(data)).type))
  await once(socket, 'open')
  await rig.eventually(() => messages.includes('connected'))
  await rig.edit('main.js', (content) => `${content}\n// saved`)
  await rig.eventually(() => messages.some((type) => type === 'update' || type === 'full-reload'), {
    what: 'an update over the WebSocket',
  })
  socket.terminate()
}

matrix('node', [
  plain('node', 'node server.mjs'),
  plain('npm run', 'npm run dev', { notes: 'without npm in between' }),
  plain('npx', 'npx --no-install tsx server.mjs', { packages: 'linked', notes: 'without npx in between' }),
  plain('npm itself', 'npm --silent run dev', { notes: 'its options are given' }),
  plain('npx itself', 'npx --offline tsx server.mjs', { packages: 'linked', notes: 'its options are given' }),
  plain('nested shells', `bash -c "true; sh -c 'true; node server.mjs; true'; true"; true`),
  plain('cluster', 'node cluster.mjs', {
    files: { 'cluster.mjs': cluster('SCHED_RR'), 'server.mjs': HTTP },
    notes: 'two workers, round robin',
  }),
  plain('cluster, shared', 'node cluster.mjs', {
    files: { 'cluster.mjs': cluster('SCHED_NONE'), 'server.mjs': HTTP },
    notes: 'two workers that accept themselves',
  }),
  plain('worker_threads', 'node main.mjs', {
    files: {
      'main.mjs': `import { Worker } from 'node:worker_threads'\nnew Worker(new URL('server.mjs', import.meta.url))\n`,
      'server.mjs': HTTP,
    },
  }),
  plain('node --watch', 'node --watch server.mjs', { reloads: 'server.mjs' }),
  plain('nodemon', 'npx --no-install nodemon server.mjs', {
    version: packageVersion('nodemon'),
    packages: 'linked',
    reloads: 'server.mjs',
  }),
  plain('tsx watch', 'npx --no-install tsx watch server.mjs', {
    version: packageVersion('tsx'),
    packages: 'linked',
    reloads: 'server.mjs',
  }),
  withPackage(
    'express',
    `import express from 'express'\nexpress().get('/', (_, response) => response.send('v1')).listen(process.env.PORT)\n`,
  ),
  withPackage(
    'fastify',
    `import fastify from 'fastify'\nconst app = fastify()\napp.get('/', async () => 'v1')\nawait app.listen({ port: Number(process.env.PORT) })\n`,
  ),
  withPackage(
    'hono',
    `import { serve } from '@hono/node-server'\nimport { Hono } from 'hono'\nserve({ fetch: new Hono().get('/', (c) => c.text('v1')).fetch, port: Number(process.env.PORT) })\n`,
  ),
  {
    name: 'Vite',
    version: packageVersion('vite'),
    files: {
      'package.json': { type: 'module', scripts: { dev: 'vite --port $PORT --strictPort' } },
      'index.html': '<h1>v1</h1><script type="module" src="/main.js"></script>',
      'main.js': `document.title = 'v1'`,
    },
    command: 'npm run dev',
    packages: 'linked',
    reloads: 'index.html',
    also: viteUpdates,
    notes: 'HMR WebSocket',
  },
  {
    name: 'Next dev',
    version: packageVersion('next'),
    files: {
      'package.json': { scripts: { dev: 'next dev' } },
      'app/layout.jsx': `export default ({ children }) => <html><body>{children}</body></html>`,
      'app/page.jsx': `export default () => <p>v1</p>`,
    },
    command: 'npm run dev',
    packages: 'copied',
    swap: 'exclusive',
    reloads: 'app/page.jsx',
  },
  {
    name: 'webpack-dev-server',
    version: packageVersion('webpack-dev-server'),
    files: {
      'package.json': { scripts: { dev: 'webpack serve --port $PORT' } },
      'webpack.config.js': `module.exports = { mode: 'development', devtool: false, entry: './main.js' }`,
      'main.js': `document.title = 'v1'`,
    },
    command: 'npm run dev',
    path: '/main.js',
    packages: 'linked',
    reloads: 'main.js',
  },
  {
    name: 'Bun',
    version: packageVersion('bun'),
    files: {
      'server.ts': `Bun.serve({ port: Number(process.env.PORT), fetch(request, server) {
  console.log('from', server.requestIP(request)?.address)
  return new Response('v1')
} })
`,
    },
    command: 'npx --no-install bun server.ts',
    packages: 'linked',
    logs: LOGS,
  },
  {
    name: 'Deno',
    version: packageVersion('deno'),
    files: {
      'server.ts': `Deno.serve({ port: Number(Deno.env.get('PORT')) }, (_, { remoteAddr }) => {
  console.log('from', remoteAddr.hostname)
  return new Response('v1')
})
`,
    },
    command: 'npx --no-install deno run --no-config --allow-net --allow-env server.ts',
    packages: 'linked',
    logs: LOGS,
  },
])
