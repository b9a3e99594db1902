import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { evaluateFiles } from '../../proxy/config/evaluator.ts'
import { scrubbed } from '../rig/environment.ts'
import { eventually } from '../rig/eventually.ts'
import { TestFolder } from './config-folder.ts'

/** Every test here starts processes: ample time on a busy machine, and still a deadline. */
const TIMEOUT = 20_000

async function services(folder: TestFolder, env: Record<string, string> = {}): Promise<string[]> {
  const { services } = await folder.load({ env: scrubbed(env) })
  return services.map(({ name, command }) => `${name}: ${command}`)
}

describe('a configuration is a program', { timeout: TIMEOUT }, () => {
  test('in TypeScript, with defineConfig, where devsock is not installed', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.ts': `
        import { defineConfig, type ServiceConfig } from 'devsock'
        import { command } from './lib/command.ts'
        const api: ServiceConfig = { command, listen: 3001 }
        export default defineConfig({ services: { api } })`,
      'lib/command.ts': 'export const command: string = "node api.js"',
    })
    const project = await folder.load()
    expect(project.services.map(({ command }) => command)).toEqual(['node api.js'])
    expect(project.files.map((file) => file.replace(folder.path, '.'))).toEqual([
      './devsock.config.ts',
      './lib/command.ts',
    ])
    expect((await readdir(folder.path)).sort()).toEqual(['.git', 'devsock.config.ts', 'lib'])
  })

  test.each([
    [
      'mts',
      'export default await Promise.resolve({ services: { a: { command: "x" as string, listen: 1 } } })',
    ],
    ['mjs', 'export default { services: { a: { command: "x", listen: 1 } } }'],
    ['js', 'export default { services: { a: { command: "x", listen: 1 } } }'],
    ['js', 'module.exports = { services: { a: { command: "x", listen: 1 } } }'],
  ])('in .%s: %s', async (extension, source) => {
    await using folder = await TestFolder.with({ [`devsock.config.${extension}`]: source })
    expect(await services(folder)).toEqual(['a: x'])
  })

  test("in the user's environment and folder, without what is not the user's", async () => {
    await using folder = await TestFolder.with({
      'devsock.config.js': `
        export default { services: { a: { listen: 1, command: [
          process.env.WHO, process.cwd(), String(process.env.LISTEN_FDS), String(process.env.JITI_FS_CACHE)] } } }`,
    })
    expect(await services(folder, { WHO: 'ann', LISTEN_FDS: '3' })).toEqual([
      `a: ann ${folder.path} undefined undefined`,
    ])
  })

  test('whose output and open handles are its own affair', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.js': `
        console.log('{ "v": 1 }'); console.error('x'.repeat(200_000)); setInterval(() => {}, 1000)
        export default { services: { a: { command: 'x', listen: 1 } } }`,
    })
    expect(await services(folder)).toEqual(['a: x'])
  })

  test('and what it leaves running ends with it', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.js': `
        import { spawn } from 'node:child_process'
        import { writeFileSync } from 'node:fs'
        const child = spawn('sleep', ['1000'], { stdio: 'inherit' })
        writeFileSync('pid', String(child.pid))
        export default { services: { a: { command: 'x', listen: 1 } } }`,
    })
    await folder.load()
    const pid = readFileSync(folder.file('pid'), 'utf8')
    // A SIGKILL is delivered in the kernel's own time; then a zombie until init, or a subreaper, has seen it.
    await eventually(async () => ['Z', null].includes(await readState(pid)), { what: 'the end of sleep' })
  })
})

async function readState(pid: string): Promise<string | null> {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .charAt(0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

describe('a configuration that fails says where', { timeout: TIMEOUT }, () => {
  test.each<[string, Record<string, string>, string]>([
    [
      'a syntax error',
      { 'devsock.config.ts': "export default {\n  services: { a: { command: 'x' listen: 1 } },\n}" },
      'devsock.config.ts:2:33 : syntax error: Unexpected token, expected ","',
    ],
    [
      'saved half-written',
      { 'devsock.config.ts': 'export default {\n  services: {\n    a: "npm ru' },
      'devsock.config.ts:3:8 : syntax error: Unterminated string constant.',
    ],
    [
      'empty',
      { 'devsock.config.ts': '' },
      'it has no default export (write: export default defineConfig({ services: { … } }))',
    ],
    [
      'a function',
      { 'devsock.config.ts': 'export default () => ({})' },
      'its default export is a function, not an object',
    ],
    [
      'an error thrown',
      {
        'devsock.config.ts':
          'interface Long {\n  a: string\n}\n\nfunction port(): number {\n  throw new RangeError("no port")\n}\nexport default { services: { a: port() } }',
      },
      'devsock.config.ts:6:9 : it threw RangeError: no port',
    ],
    [
      'an error thrown by what it imports',
      {
        'devsock.config.ts': "import './ports.ts'\nexport default {}",
        'ports.ts': 'export type A = 1\nnull.x',
      },
      "ports.ts:2:6 : it threw TypeError: Cannot read properties of null (reading 'x')",
    ],
    [
      'an import that is not there',
      { 'devsock.config.ts': "// './nope.ts'\nimport x from './nope.ts'\nexport default x" },
      'devsock.config.ts:2:15 : cannot find "./nope.ts" (check the path of the import)',
    ],
    [
      'a package that is not installed',
      { 'devsock.config.mjs': "import x from 'not-there'\nexport default x" },
      'devsock.config.mjs:1:15 : cannot find "not-there" (install it: npm i -D not-there)',
    ],
    [
      'process.exit()',
      { 'devsock.config.js': 'console.log("bye"); process.exit(7); export default {}' },
      'devsock.config.js : the configuration ended its process (exit status 7) (it printed: bye)',
    ],
    [
      'process.exit(0)',
      { 'devsock.config.js': 'process.exit(0); export default {}' },
      'devsock.config.js : the configuration ended its process before it was complete',
    ],
    [
      'values that are no data',
      {
        'devsock.config.js':
          'export default {\n  services: { a: { command: "x", ready: { log: /up \\d/ } } } }',
      },
      'devsock.config.js:2:48 services.a.ready.log: a regular expression is written as text here (write "up \\\\d")',
    ],
    [
      'a function within',
      { 'devsock.config.js': 'export default { services: { a: { listen: 1,\n command: () => "x" } } }' },
      'devsock.config.js:2:11 services.a.command: cannot be a function (a configuration is plain data)',
    ],
    [
      'a circle',
      { 'devsock.config.js': 'const services = {}\nservices.a = services\nexport default { services }' },
      'an object that contains itself',
    ],
  ])('%s', async (_, files, problem) => {
    await using folder = await TestFolder.with(files)
    const [first, ...others] = await folder.problems()
    expect(others).toEqual([])
    expect(first).toContain(problem)
  })

  test('at its deadline it is ended, with all that it started', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.js': `console.log('waiting'); await new Promise((resolve) => setInterval(resolve, 1e8)); export default {}`,
    })
    const result = await evaluateFiles([folder.file('devsock.config.js')], {
      cwd: folder.path,
      env: scrubbed(),
      timeoutMs: 700,
    })
    expect(result).toMatchObject({
      ok: false,
      failure: { code: 'configuration-invalid', message: 'the configuration did not end within 0.7 s' },
    })
  })

  test('it is ended when nobody waits for it any more', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.js': 'await new Promise((r) => setInterval(r, 1e8)); export default {}',
    })
    const aborter = new AbortController()
    const failure = folder.failure({ signal: aborter.signal })
    aborter.abort()
    expect((await failure).code).toBe('interrupted')
    expect((await folder.failure({ signal: aborter.signal })).code).toBe('interrupted')
  })

  test('a configuration and its local one fail together', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.ts': 'export default { services: { a: { comand: "x", listen: 1 } } }',
      'devsock.local.ts': 'export default {',
    })
    expect(await folder.problems()).toEqual([
      expect.stringContaining('devsock.local.ts:1:17 : syntax error'),
      expect.stringContaining('services.a.command: is missing'),
      expect.stringContaining('unknown key "comand"'),
    ])
  })
})
