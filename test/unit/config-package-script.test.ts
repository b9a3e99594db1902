import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { generationEnvironment } from '../../proxy/config/environment.ts'
import type { ResolvedService } from '../../proxy/config/types.ts'
import { scrubbed } from '../rig/environment.ts'
import { TestFolder } from './config-folder.ts'

const run = promisify(execFile)

const CONFIG = (command: string | string[]): object => ({ services: { web: { command, listen: 3000 } } })

/** A project whose command is `command`, with these scripts; `server` is installed. */
async function project(
  command: string | string[],
  scripts: Record<string, string>,
  files: Record<string, string | object> = {},
): Promise<TestFolder> {
  const folder = await TestFolder.with({
    'devsock.config.json': CONFIG(command),
    'package.json': { name: 'shop', version: '1.2.3', config: { port: 80 }, scripts },
    'node_modules/.bin/server': '#!/bin/sh\nenv -0\n',
    ...files,
  })
  await chmod(folder.file('node_modules/.bin/server'), 0o755)
  return folder
}

async function onlyService(folder: TestFolder, env = scrubbed()): Promise<ResolvedService> {
  const [service] = (await folder.load({ env })).services
  if (service === undefined) throw new Error('no service')
  return service
}

/** The line that sh gets in place of npm; null where npm itself runs. */
async function lineFor(...of: Parameters<typeof project>): Promise<string | null> {
  await using folder = await project(...of)
  const { argv, script } = await onlyService(folder)
  return script === null ? null : (argv[2] ?? null)
}

test.each([
  ['npm run dev', 'exec server'],
  ['npm run-script dev', 'exec server'],
  ['npm start', 'exec server --start'],
  ['npm start -- -v', 'exec server --start -v'],
  ['npm run dev one two -- -v', 'exec server one two -v'],
  ['npm run dev -- --port "$PORT"', 'exec server --port "$PORT"'],
  ['npm run both -- --last', 'echo one && server --last'],
  ['npm run nested -- --b', 'exec server --a --b'],
  ['npx server --port 1', 'exec server --port 1'],
  ['npx --no-install server', 'exec server'],
])('%s is run without npm', async (command, line) => {
  const scripts = {
    dev: 'server',
    start: 'server --start',
    both: 'echo one && server',
    nested: 'npm run dev -- --a',
  }
  expect(await lineFor(command, scripts)).toBe(line)
})

test.each([
  ['there is no such script', 'npm run nowhere', { dev: 'server' }, {}],
  ['another script runs before it', 'npm run dev', { dev: 'server', predev: 'true' }, {}],
  ['another script runs after it', 'npm run dev', { dev: 'server', postdev: 'true' }, {}],
  ['scripts run in a circle', 'npm run a', { a: 'npm run b', b: 'npm run a' }, {}],
  ['npm is given an option', 'npm run dev --silent', { dev: 'server' }, {}],
  ['npm is one command of several', 'npm run dev && true', { dev: 'server' }, {}],
  ['the command is an array', ['npm', 'run', 'dev'], { dev: 'server' }, {}],
  ['npm has another shell', 'npm run dev', { dev: 'server' }, { '.npmrc': 'script-shell=/bin/bash\n' }],
  ['a folder above says so', 'npm run dev', { dev: 'server' }, { '../.npmrc': 'node-options=--inspect\n' }],
  ['npx has to fetch the program', 'npx another', { dev: 'server' }, {}],
])('npm is left to it where %s', async (_, command, scripts, files) => {
  expect(await lineFor(command, scripts, files)).toBeNull()
})

test('a script sees what it sees below npm', async () => {
  await using folder = await project('npm run nested -- one', { nested: 'npm run dev', dev: 'server' })
  const below = variables(
    (
      await run('npm', ['run', '-s', 'dev', '--', 'one'], {
        cwd: folder.path,
        env: scrubbed(),
      })
    ).stdout,
  )
  const service = await onlyService(folder)
  const made = generationEnvironment({
    project: { id: 'shop', services: [service] },
    service,
    generation: 1,
    ports: new Map(),
    shell: scrubbed(),
  })
  if (!made.ok) throw new Error(made.failure.message)
  const [shell = '', ...args] = service.argv
  const without = variables((await run(shell, args, { cwd: folder.path, env: made.value })).stdout)
  const compared = Object.keys(below).filter((name) =>
    /^npm_(package|lifecycle|command)|^INIT_CWD$/.test(name),
  )
  expect(compared).toEqual(
    expect.arrayContaining(['npm_package_name', 'npm_package_config_port', 'npm_lifecycle_event']),
  )
  // npm 11 calls the command run, older ones run-script.
  const { npm_command, ...rest } = pick(without, compared)
  expect(['run', 'run-script']).toContain(npm_command)
  expect(rest).toEqual({ ...pick(below, compared), npm_command: undefined })
  expect(programs(without)).toEqual(programs(below))
})

test('a package.json that is half written leaves the last good configuration', async () => {
  await using folder = await project('npm run dev', { dev: 'server' })
  expect((await folder.load()).files).toContain(folder.file('package.json'))
  await folder.write({ 'package.json': '{ "scripts": ' })
  expect(await folder.problems()).toEqual([
    expect.stringMatching(/^devsock\.config\.json:\d+:\d+ services\.web\.command: \.\/package\.json: /),
  ])
})

const variables = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split('\0')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )

const pick = (from: Record<string, string>, names: readonly string[]): Record<string, string | undefined> =>
  Object.fromEntries(names.map((name) => [name, from[name]]))

/** Where packages' programs are looked for; npm's own folder for node-gyp is left out. */
const programs = ({ PATH = '' }: Record<string, string>): string[] =>
  PATH.split(':').filter((folder) => folder.endsWith('/node_modules/.bin'))
