import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseDuration } from '../../proxy/config/duration.ts'
import { nameFrom, nameProblem } from '../../proxy/config/names.ts'
import { nearest } from '../../proxy/config/suggest.ts'
import { Written } from '../../proxy/config/written.ts'
import { TestFolder } from './config-folder.ts'

test('the build writes the JSON schema, in which every key is described and no other allowed', {
  timeout: 20_000,
}, async () => {
  await using folder = await TestFolder.with({})
  const out = folder.file('schema.json')
  const jiti = pathToFileURL(createRequire(import.meta.url).resolve('jiti'))
  const script = fileURLToPath(new URL('../../proxy/config/schema.ts', import.meta.url))
  const env = { ...process.env, JITI_FS_CACHE: 'false' }
  await promisify(execFile)(
    process.execPath,
    ['--import', new URL('jiti-register.mjs', jiti).href, script, out],
    { env },
  )
  const schema: unknown = JSON.parse(await readFile(out, 'utf8'))
  expect(schema).toMatchObject({
    $schema: 'http://json-schema.org/draft-07/schema#',
    required: ['services'],
    additionalProperties: false,
    properties: {
      services: { additionalProperties: { anyOf: [{ type: 'string' }, { required: ['command'] }] } },
    },
  })

  const undescribed: string[] = []
  const open: string[] = []
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    if ('properties' in node && typeof node.properties === 'object' && node.properties !== null) {
      if (!('additionalProperties' in node) || node.additionalProperties !== false) open.push(path)
      for (const [key, value] of Object.entries(node.properties)) {
        const described =
          typeof value === 'object' && value !== null && ('description' in value || 'properties' in value)
        if (!described) undescribed.push(`${path}.${key}`)
      }
    }
    for (const [key, value] of Object.entries(node)) walk(value, `${path}.${key}`)
  }
  walk(schema, '')
  expect(undescribed).toEqual([])
  expect(open).toEqual([])
})

test('what a person writes with `defineConfig` is accepted as it is written', () => {
  const config = {
    $schema: 'x',
    services: { web: 'npm run dev', api: { command: ['a'], listen: { http: 3000 }, idle: '15m' } },
  }
  expect(z.safeParse(Written, config)).toEqual({ success: true, data: config })
})

test('a time has a unit, or is milliseconds', () => {
  const cases = {
    '500ms': 500,
    '5s': 5000,
    '1.5m': 90_000,
    '1h': 3_600_000,
    '0s': 0,
    '5 s': null,
    '5': null,
    s: null,
    '-1s': null,
    '999h': null,
    '1e3s': null,
  }
  for (const [written, ms] of Object.entries(cases))
    expect([written, parseDuration(written)]).toEqual([written, ms])
  expect([250, -1, Number.NaN, 2 ** 31].map(parseDuration)).toEqual([250, null, null, null])
})

test('a suggestion is what was nearly written, or none', () => {
  const known = ['command', 'watch', 'listen', 'SIGTERM', 'env', 'envFile', 'onConflict']
  const cases = {
    comand: 'command',
    wacth: 'watch',
    whatch: 'watch',
    TERM: 'SIGTERM',
    WATCH: 'watch',
    envfile: 'envFile',
    conflict: 'onConflict',
    port: null,
    xyzzy: null,
    x: null,
  }
  for (const [word, expected] of Object.entries(cases))
    expect([word, nearest(word, known)]).toEqual([word, expected])
})

test('a name that was made is a name', () => {
  const cases = {
    '@acme/shop': 'shop',
    'a b': 'a-b',
    '--x': 'x',
    Ü: 'U',
    '…': 'project',
    'a/': 'a',
    [`a${'b'.repeat(99)}`]: `a${'b'.repeat(63)}`,
  }
  for (const [text, expected] of Object.entries(cases)) {
    expect(nameFrom(text)).toBe(expected)
    expect(nameProblem(expected)).toBeNull()
  }
})
