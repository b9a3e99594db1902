/** Packages that a process loads ahead without being told to: each does nothing but define what it exports. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { KNOWN, READ } from '../../../native/adopt/node/known.ts'
import { Rig } from '../../rig/rig.ts'
import { INSTALL_TIME, installKnownPackages } from './packages.ts'

const HERE = fileURLToPath(new URL('known-packages', import.meta.url))
/** With older ones under other names, that are still in use. */
const installed = Object.keys(JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')).dependencies)

interface Effects {
  modules: number
  variables: string[]
  files: string[]
  changed: string[]
  listeners: string[]
  resources: string[]
  asksWhoIsMain: string[]
}

/** Where there is no terminal some look whether a CI shows colours. */
const env = { PATH: process.env.PATH, HOME: process.env.HOME, CI: 'true' }

async function effectsOf(name: string, cwd = HERE): Promise<Effects> {
  const argv = ['--no-deprecation', join(HERE, 'probe.cjs'), name]
  return JSON.parse((await promisify(execFile)(process.execPath, argv, { cwd, env })).stdout)
}

beforeAll(installKnownPackages, INSTALL_TIME)

test('each of them is looked at', () => {
  expect(KNOWN.filter((name) => !installed.includes(name))).toEqual([])
})

describe.each(installed)('%s', (name) => {
  test('reads and changes nothing of anybody else', async () => {
    const { modules, variables, changed, ...rest } = await effectsOf(name)
    expect(modules).toBeGreaterThan(0)
    expect(variables.filter((variable) => !READ.test(variable))).toEqual([])
    expect(changed.filter((path) => !path.startsWith(`globalThis.__${name}_`))).toEqual([])
    expect(rest).toEqual({ files: [], listeners: [], resources: [], asksWhoIsMain: [] })
  })
})

test('and of one that does otherwise all of it would be seen', async () => {
  await using rig = await Rig.create({
    files: {
      'settings.json': '{}',
      'node_modules/rude/index.js': `require('node:fs').readFileSync('settings.json')
const { PORT } = process.env
Object.keys(process.env)
String.prototype.shout = function () {}
require('node:http').request = () => {}
require.extensions['.ts'] = () => {}
process.on('exit', () => {})
setInterval(() => {}, 1000)
if (require.main === module) console.log('main')`,
    },
  })
  expect(await effectsOf(`${rig.dir}/node_modules/rude`, rig.dir)).toEqual({
    modules: 1,
    variables: ['PORT', '*'],
    files: [expect.stringContaining('settings.json')],
    changed: expect.arrayContaining(['String.prototype.shout', 'http.request', 'Module._extensions..ts']),
    listeners: ['exit 1'],
    resources: ['Timeout'],
    asksWhoIsMain: [expect.stringContaining('rude/index.js')],
  })
})
