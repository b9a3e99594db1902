import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DevsockConfig, DevsockLocalConfig } from '../../proxy/config/define.ts'
import { full, merge } from '../../proxy/config/merge.ts'

function merged(
  service: DevsockConfig['services'][string],
  local: NonNullable<DevsockLocalConfig['services']>[string],
) {
  return merge({ services: { api: service } }, { services: { api: local } }).services.api
}

describe('devsock.local.* is merged over the configuration', () => {
  test('key by key in objects, whole in lists and single values', () => {
    expect(
      merged(
        {
          command: 'a',
          watch: ['src/**', 'lib/**'],
          env: { A: '1', B: '2' },
          stop: { signal: 'SIGINT' },
          drain: '1s',
        },
        { watch: ['app/**'], env: { B: '3', C: '4' }, stop: { timeout: '9s' }, drain: 0 },
      ),
    ).toEqual({
      command: 'a',
      watch: ['app/**'],
      env: { A: '1', B: '3', C: '4' },
      stop: { signal: 'SIGINT', timeout: '9s' },
      drain: 0,
    })
  })

  test('with short forms written out first', () => {
    expect(merged('npm run dev', { listen: 3000 })).toEqual({
      command: 'npm run dev',
      listen: { address: 3000 },
    })
    expect(merged({ command: 'a', listen: 3000, cwd: 'x' }, 'b')).toEqual({
      command: 'b',
      listen: { address: 3000 },
      cwd: 'x',
    })
    expect(merged({ command: 'a', listen: { address: 3000, backlog: 9 } }, { listen: 4000 })).toEqual({
      command: 'a',
      listen: { address: 4000, backlog: 9 },
    })
    expect(
      merged(
        { command: 'a', listen: { http: 1, admin: 2 } },
        { listen: { admin: { address: 3, backlog: 1 } } },
      ),
    ).toEqual({
      command: 'a',
      listen: { http: { address: 1 }, admin: { address: 3, backlog: 1 } },
    })
  })

  test('another form of `listen` takes the place of the first', () => {
    const listens = [{ http: 1, admin: 2 }, [1, 2], 3, false] as const
    const api = (listen: (typeof listens)[number]) =>
      ({
        command: 'a',
        listen: typeof listen === 'object' && Array.isArray(listen) ? [...listen] : listen,
      }) as DevsockConfig['services'][string]
    for (const below of listens) {
      for (const above of listens) {
        if (below === above) continue
        expect(merge({ services: { api: api(below) } }, { services: { api: api(above) } })).toEqual(
          full({ services: { api: api(above) } }),
        )
      }
    }
  })

  test('another kind of `ready` takes the place of the first, and its timeout stays', () => {
    expect(
      merged({ command: 'a', ready: { log: 'up', timeout: '9s' } }, { ready: { http: '/' } })?.ready,
    ).toEqual({ http: '/', timeout: '9s' })
    expect(merged({ command: 'a', ready: { log: 'up' } }, { ready: { timeout: 5 } })?.ready).toEqual({
      log: 'up',
      timeout: 5,
    })
  })

  test('a service and a name of its own', () => {
    const result = merge({ name: 'shop', services: { web: 'a' } }, { name: 'mine', services: { mail: 'b' } })
    expect(result).toEqual({ name: 'mine', services: { web: { command: 'a' }, mail: { command: 'b' } } })
  })
})

const service = fc.record(
  {
    command: fc.string(),
    listen: fc.oneof(
      fc.integer(),
      fc.constant<false>(false),
      fc.array(fc.integer()),
      fc.dictionary(fc.constantFrom('http', 'admin'), fc.integer()),
      fc.record({ address: fc.integer(), backlog: fc.integer() }),
    ),
    env: fc.dictionary(fc.string(), fc.string()),
    watch: fc.array(fc.string()),
    retry: fc.record({ limit: fc.integer() }),
    ready: fc.oneof(fc.record({ log: fc.string() }), fc.record({ http: fc.string(), timeout: fc.integer() })),
  },
  { requiredKeys: ['command'] },
)
const config = fc.record({
  services: fc.dictionary(fc.constantFrom('web', 'api', '__proto__'), fc.oneof(fc.string(), service)),
})

describe('whatever is merged', () => {
  test('nothing over a configuration leaves it as it is', () => {
    fc.assert(fc.property(config, (one) => void expect(merge(one, {})).toEqual(full(one))))
  })

  test('itself over a configuration leaves it as it is', () => {
    fc.assert(fc.property(config, (one) => void expect(merge(one, one)).toEqual(full(one))))
  })

  test('what the local file says is what counts', () => {
    fc.assert(
      fc.property(config, config, (below, above) => {
        const result = merge(below, above)
        for (const [name, wanted] of Object.entries(full(above).services))
          expect(result.services[name]).toMatchObject(wanted)
        for (const name of Object.keys(below.services))
          expect(Object.hasOwn(result.services, name)).toBe(true)
        expect(Object.getPrototypeOf(result.services)).toBe(Object.prototype)
      }),
    )
  })

  test('what was merged is not changed', () => {
    fc.assert(
      fc.property(config, config, (below, above) => {
        const before = JSON.stringify([below, above])
        merge(below, above)
        expect(JSON.stringify([below, above])).toBe(before)
      }),
    )
  })
})
