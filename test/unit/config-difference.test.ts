// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references as people write them
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { autoPorts, ephemeralRange, withAutoPorts } from '../../proxy/config/auto.ts'
import { difference } from '../../proxy/config/difference.ts'
import { TestFolder } from './config-folder.ts'

async function project(services: object) {
  await using folder = await TestFolder.with({ 'devsock.config.json': { services }, 'e.env': 'A=1' })
  const loaded = await folder.load()
  // Each has a folder of its own: as far as a difference is concerned it is one place.
  return {
    ...loaded,
    services: loaded.services.map((service) => ({ ...service, cwd: service.cwd.replace(folder.path, '/p') })),
  }
}

const API = { command: 'node api.js', listen: 3001, watch: ['src/**'] }

describe('only what changed is touched', () => {
  const nothing = { restart: false, rebind: false, rewatch: false }
  test.each<[string, object, object]>([
    ['command', { command: 'node other.js' }, { restart: true }],
    ['env', { env: { A: '1' } }, { restart: true }],
    ['envFile', { envFile: 'e.env' }, { restart: true }],
    ['binds', { listen: { address: 3001, binds: 8080 } }, { restart: true }],
    ['port', { listen: 3002 }, { restart: true, rebind: true }],
    ['backlog', { listen: { address: 3001, backlog: 5 } }, { restart: true, rebind: true }],
    ['one more socket', { listen: { http: 3001, admin: 3009 } }, { restart: true, rebind: true }],
    ['watch', { watch: ['lib/**'] }, { rewatch: true }],
    ['cwd', { cwd: '..' }, { restart: true, rewatch: true }],
    ['stop', { stop: { timeout: '1s' } }, {}],
    ['swap', { swap: 'overlap' }, {}],
    ['ready', { ready: { timeout: '1s' } }, {}],
  ])('%s', async (_, change, expected) => {
    const before = await project({ api: API, web: { command: 'w', listen: 3000 } })
    const after = await project({ api: { ...API, ...change }, web: { command: 'w', listen: 3000 } })
    expect(difference(before, after)).toEqual({
      added: [],
      removed: [],
      changed: [{ name: 'api', ...nothing, ...expected }],
      same: false,
    })
  })

  test('services come and go by their names', async () => {
    const before = await project({ api: API, web: { command: 'w', listen: 3000 } })
    const after = await project({ api: API, mail: { command: 'm', listen: 3002 } })
    expect(difference(before, after)).toEqual({ added: ['mail'], removed: ['web'], changed: [], same: false })
  })

  test('the same configuration touches nothing', async () => {
    const one = await project({ api: API })
    expect(difference(one, structuredClone(one))).toEqual({ added: [], removed: [], changed: [], same: true })
  })

  test('who names a neighbour that moved is started again', async () => {
    const web = { command: 'w', listen: 3000, env: { API: '${api.url}' } }
    const before = await project({ api: API, web, other: { command: 'o', listen: 3009 } })
    const after = await project({ api: { ...API, listen: 3002 }, web, other: { command: 'o', listen: 3009 } })
    expect(difference(before, after).changed).toEqual([
      { name: 'api', restart: true, rebind: true, rewatch: false },
      { name: 'web', restart: true, rebind: false, rewatch: false },
    ])
  })
})

describe('a port for `auto`', () => {
  const identity = { id: 'shop', dir: '/home/ann/shop', service: 'web', socket: 'http' }
  const range = { low: 32768, high: 60999 }
  const first = (more: Partial<typeof identity>) => autoPorts({ ...identity, ...more }, range).next().value

  test('is the same one every time, and another for another worktree, service or socket', () => {
    expect(first({})).toBe(first({}))
    const others = [
      first({ dir: '/home/ann/fix' }),
      first({ id: 'shop@fix' }),
      first({ service: 'api' }),
      first({ socket: 'admin' }),
    ]
    expect(new Set([first({}), ...others]).size).toBe(5)
  })

  test('stays what it was in earlier versions', () => {
    expect([...autoPorts(identity, range)].slice(0, 3)).toEqual([29491, 32106, 21953])
  })

  test('is followed by every other candidate once, none where connections get theirs', () => {
    const bound = fc.integer({ min: 1024, max: 65535 })
    fc.assert(
      fc.property(fc.string(), bound, bound, (service, a, b) => {
        const ephemeral = { low: Math.min(a, b), high: Math.max(a, b) }
        const ports = [...autoPorts({ ...identity, service }, ephemeral)]
        expect(new Set(ports).size).toBe(ports.length)
        expect(ports.length).toBeGreaterThanOrEqual(1000)
        expect(ports.every((port) => port >= 10000 && port <= 65535)).toBe(true)
        const free = ephemeral.low > 21000 || ephemeral.high < 31000
        if (free) expect(ports.some((port) => port >= ephemeral.low && port <= ephemeral.high)).toBe(false)
      }),
      { numRuns: 30 },
    )
  })

  test('is found where the kernel says nothing of its range', () => {
    expect(ephemeralRange('/nowhere/ip_local_port_range')).toEqual({ low: 32768, high: 65535 })
  })

  test('takes the place of every fixed port with --auto-ports, which the program still believes in', async () => {
    const loaded = await project({
      api: {
        command: 'a',
        listen: { http: 3001, x: { address: '*:3002', binds: 80 }, u: 'unix:/u', f: 'auto' },
      },
    })
    const sockets = withAutoPorts(loaded).services[0]?.sockets.map(({ name, address, binds }) => [
      name,
      address.kind,
      binds,
    ])
    expect(sockets).toEqual([
      ['http', 'auto', 3001],
      ['x', 'auto', 80],
      ['u', 'unix', null],
      ['f', 'auto', null],
    ])
  })
})
