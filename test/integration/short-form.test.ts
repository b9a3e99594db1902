/** `web: 'npm run dev'` is all that a fresh project needs: the port is its framework's, the server is adopted. */
import { connect } from 'node:net'
import { beforeAll, expect, test } from 'vitest'
import { listeningPorts } from '../rig/ports.ts'
import { type Files, Rig } from '../rig/rig.ts'
import { INSTALL_TIME, installPackages, providePackages } from './servers/packages.ts'

beforeAll(installPackages, INSTALL_TIME)

/** A compiler's first answer, ms. */
const FIRST_ANSWER = 30_000

/** As `npm create vite` leaves it. */
const VITE: Files = {
  'package.json': { type: 'module', scripts: { dev: 'vite' }, devDependencies: { vite: '*' } },
  'index.html': '<h1>fresh</h1><script type="module" src="/main.js"></script>',
  'main.js': `document.title = 'fresh'`,
}

/** As `create-next-app` leaves it. */
const NEXT: Files = {
  'package.json': { scripts: { dev: 'next dev' }, dependencies: { next: '*', react: '*', 'react-dom': '*' } },
  'app/layout.jsx': 'export default ({ children }) => <html><body>{children}</body></html>',
  'app/page.jsx': 'export default () => <p>fresh</p>',
}

test.each([
  { name: 'Vite', files: VITE, usual: 5173, packages: 'linked' },
  { name: 'Next', files: NEXT, usual: 3000, packages: 'copied' },
] as const)('a fresh $name project runs behind its usual port', async ({ files, usual, packages }) => {
  await using rig = await Rig.create({ files })
  await providePackages(packages, rig.dir)
  await rig.configure({ web: 'npm run dev' })
  // Somebody may have the usual port, on a developer's machine above all: then the next best shows the same.
  const isFree = !(await listeningPorts()).has(usual)
  await rig.up(...(isFree ? [] : ['--auto-ports']))
  const [socket] = (await rig.service('web')).sockets
  const port = socket?.port ?? 0
  if (isFree) expect(port).toBe(usual)
  for (const host of ['127.0.0.1', '::1']) {
    expect((await rig.request(port, '/', { host, deadline: FIRST_ANSWER })).body).toContain('fresh')
  }
  await rig.succeed('wait', 'web')
  expect(await rig.service('web')).toMatchObject({ state: 'ready', generation: 1, handover: 'preload' })
  // Next holds a lock: there cannot be two of it in one folder, and this one has half a request to wait for.
  const wire = connect({ port, host: '127.0.0.1' })
  wire.write('GET / HTTP/1.1\r\n')
  await rig.eventually(async () => (await rig.service('web')).sockets[0]?.open === 1)
  await rig.succeed('restart', 'web')
  expect((await rig.request(port, '/', { deadline: FIRST_ANSWER })).body).toContain('fresh')
  expect(await rig.service('web')).toMatchObject({ state: 'ready', generation: 2, crashes: 0 })
  wire.destroy()
})

test('with --auto-ports, a program that insists on its usual port lives on a free one', async () => {
  await using rig = await Rig.create({ files: VITE })
  await providePackages('linked', rig.dir)
  await rig.configure({ web: 'npm run dev' })
  await rig.up('--auto-ports')
  const [socket] = (await rig.service('web')).sockets
  const port = socket?.port ?? 0
  expect(port).not.toBe(5173)
  expect((await rig.request(port, '/', { deadline: FIRST_ANSWER })).body).toContain('fresh')
  expect(await rig.service('web')).toMatchObject({ generation: 1, handover: 'preload' })
})
