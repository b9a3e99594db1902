// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references as people write them
// Longer than 400 lines: one list of what a configuration may say and get wrong.
import { symlink } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { scrubbed } from '../rig/environment.ts'
import { TestFolder } from './config-folder.ts'

/** Problems of one service `a`, which is sound but for `service`, without their places. */
async function problemsOf(service: object, files: Record<string, string | object> = {}): Promise<string[]> {
  const a = { command: 'x', listen: 3000, ...service }
  await using folder = await TestFolder.with({ 'devsock.config.json': { services: { a } }, ...files })
  return (await folder.problems()).map((problem) => problem.replace(/^devsock\.config\.json:\d+:\d+ /, ''))
}

describe('a configuration is resolved', () => {
  test('with a default for everything but the command', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { api: { command: 'node api.js', listen: 3001 } } },
    })
    expect(await folder.load()).toEqual({
      id: 'shop',
      name: 'shop',
      dir: folder.path,
      config: folder.file('devsock.config.json'),
      files: [folder.file('devsock.config.json')],
      services: [
        {
          name: 'api',
          argv: ['/bin/sh', '-c', 'exec node api.js'],
          script: null,
          command: 'node api.js',
          sockets: [
            {
              name: 'http',
              address: { kind: 'loopback', port: 3001 },
              backlog: 4096,
              protocol: 'http',
              binds: null,
            },
          ],
          start: 'on-demand',
          watch: null,
          swap: 'hold',
          reload: null,
          ready: { kind: 'accept', timeoutMs: 30_000 },
          drainMs: 5_000,
          stop: { signal: 'SIGTERM', timeoutMs: 5_000 },
          idleMs: null,
          retry: { limit: 5, withinMs: 10_000, delayMs: 500 },
          cwd: folder.path,
          env: {},
          envFile: {},
          onConflict: 'ask',
          adopt: true,
          standby: { packages: 'known', always: false },
          mode: 'listen',
        },
      ],
    })
  })

  test.each([
    ['what is not `node FILE`', { command: 'npx vite' }],
    ['a Node that does something before FILE', { command: 'node --inspect api.js' }],
    ['a worker', { listen: false }],
    ['a server with signals of its own for a reload', { watch: ['*.js'], reload: 'SIGHUP' }],
    ['what does not want it', { standby: false }],
  ])('with nothing booted ahead for %s', async (_, service) => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { api: { command: 'node api.js', listen: 3000, ...service } } },
    })
    expect((await folder.load()).services).toMatchObject([{ standby: null }])
  })

  test('with everything that can be said', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        $schema: './schema.json',
        name: 'mine',
        services: {
          api: {
            command: ['node', 'my api.js', "it's"],
            listen: {
              http: { address: '*:3001', binds: 80, backlog: 9, protocol: 'https' },
              admin: { address: 'unix:./a.sock', mode: '660' },
            },
            start: 'manual',
            watch: ['src/**', '!**/*.test.*'],
            swap: 'overlap',
            ready: { log: '^up \\d+$', timeout: '1m' },
            drain: 250,
            stop: { signal: 'SIGINT', timeout: '1.5s' },
            idle: '15m',
            retry: { limit: 0, within: '1h', delay: 0 },
            cwd: 'api',
            env: { A: 1, B: true, C: '${D}' },
            envFile: ['one.env', '../two.env'],
            onConflict: 'use',
            adopt: true,
            mode: 'listen',
            task: false,
            needs: [],
          },
        },
      },
      'api/one.env': 'D="a\nb"\nE=1\n',
      'two.env': '# over one.env\nexport E=2 # two\n',
    })
    const project = await folder.load()
    expect(project.files.map((file) => file.replace(folder.path, '.'))).toEqual([
      './devsock.config.json',
      './api/one.env',
      './two.env',
    ])
    expect(project.services[0]).toMatchObject({
      argv: ['node', 'my api.js', "it's"],
      script: null,
      command: String.raw`node 'my api.js' 'it'\''s'`,
      sockets: [
        { name: 'http', address: { kind: 'wildcard', port: 3001 }, backlog: 9, protocol: 'https', binds: 80 },
        { name: 'admin', address: { kind: 'unix', path: folder.file('api/a.sock'), mode: 0o660 } },
      ],
      ready: { kind: 'log', pattern: '^up \\d+$', timeoutMs: 60_000 },
      drainMs: 250,
      stop: { signal: 'SIGINT', timeoutMs: 1_500 },
      idleMs: 900_000,
      retry: { limit: 0, withinMs: 3_600_000, delayMs: 0 },
      cwd: folder.file('api'),
      env: { A: '1', B: 'true', C: '${D}' },
      envFile: { D: 'a\nb', E: '2' },
    })
  })

  test('a worker is eager, a list of sockets has names', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        services: {
          w: { command: 'x', listen: false },
          l: { command: 'x', listen: [3000, 'unix:./u', { address: 3002, name: 'z' }] },
        },
      },
    })
    const [worker, list] = (await folder.load()).services
    expect(worker).toMatchObject({ sockets: [], start: 'eager' })
    expect(list?.sockets.map(({ name }) => name)).toEqual(['http', 'http-2', 'z'])
  })

  test('the short form listens where its framework does', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { web: 'npm run dev', api: { command: 'npm start', cwd: 'api' } } },
      'package.json': {
        name: '@acme/store',
        scripts: { dev: 'vite --port 5180' },
        devDependencies: { vite: '8' },
      },
      'api/package.json': { scripts: { start: 'node .' }, dependencies: { express: '5' } },
    })
    const project = await folder.load()
    expect(project.services.map(({ sockets }) => sockets[0]?.address)).toEqual([
      { kind: 'loopback', port: 5180 },
      { kind: 'loopback', port: 3000 },
    ])
    expect(project.name).toBe('store')
    expect(project.files).toContain(folder.file('api/package.json'))
  })

  test('the short form of what can run once in a folder is swapped exclusively, unless it says otherwise', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        services: { a: 'next dev', b: { command: 'next dev -p 3001', swap: 'hold' }, c: 'vite' },
      },
    })
    const { services } = await folder.load()
    expect(services.map(({ swap }) => swap)).toEqual(['exclusive', 'hold', 'hold'])
  })

  test('from "devsock" in package.json', async () => {
    await using folder = await TestFolder.with({
      'package.json': { name: 'x', devsock: { services: { a: { command: 'x', listen: 1 } } } },
    })
    expect(await folder.load()).toMatchObject({ name: 'x', config: folder.file('package.json') })
  })

  test('with devsock.local.* over it', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { a: { command: 'x', listen: 3000, env: { A: '1' } } } },
      'devsock.local.json': {
        services: { a: { listen: 4000, env: { B: '2' } }, b: { command: 'y', listen: 4001 } },
      },
    })
    const project = await folder.load()
    expect(project.services).toMatchObject([
      { name: 'a', command: 'x', sockets: [{ address: { port: 4000 } }], env: { A: '1', B: '2' } },
      { name: 'b', sockets: [{ address: { port: 4001 } }] },
    ])
    expect(project.files).toEqual([folder.file('devsock.config.json'), folder.file('devsock.local.json')])
  })
})

describe('a project is called', () => {
  const files = { 'devsock.config.json': { services: { a: { command: 'x', listen: 1 } } } }

  test.each([
    ['my shop: the\nnew one', 'my-shop-the-new-one'],
    ['Bücher', 'Bucher'],
    ['日本', 'project'],
    ['.hidden', 'hidden'],
  ])('after its folder: %j', async (name, expected) => {
    await using folder = await TestFolder.with(files, name)
    expect((await folder.load()).name).toBe(expected)
  })

  test('by name@folder in a linked git worktree, also below its top', async () => {
    await using folder = await TestFolder.with({
      'fix one/.git': 'gitdir: /home/ann/shop/.git/worktrees/fix\n',
      'fix one/devsock.config.json': { name: 'shop', ...files['devsock.config.json'] },
      'fix one/apps/web/devsock.config.json': { name: 'web', ...files['devsock.config.json'] },
    })
    expect(await folder.load({ dir: folder.file('fix one') })).toMatchObject({
      id: 'shop@fix-one',
      name: 'shop',
    })
    expect(await folder.load({ dir: folder.file('fix one/apps/web') })).toMatchObject({ id: 'web@fix-one' })
  })

  test('by its name alone in a submodule', async () => {
    await using folder = await TestFolder.with({
      'sub/.git': 'gitdir: ../.git/modules/sub\n',
      'sub/devsock.config.json': files['devsock.config.json'],
    })
    expect(await folder.load({ dir: folder.file('sub') })).toMatchObject({ id: 'sub' })
  })
})

describe('every bad input has one clear message', () => {
  test.each<[string, object, string]>([
    ['unknown key', { comand: 'x' }, 'services.a.comand: unknown key "comand" (did you mean "command"?)'],
    [
      'unknown key, nothing like it',
      { xyzzy: 1 },
      'services.a.xyzzy: unknown key "xyzzy" (known here: command, listen',
    ],
    [
      'unknown key within',
      { stop: { singal: 'SIGINT' } },
      'services.a.stop.singal: unknown key "singal" (did you mean "signal"?)',
    ],
    [
      'unknown key of a socket',
      { listen: { address: 1, bind: 2 } },
      'services.a.listen.bind: unknown key "bind" (did you mean "binds"?)',
    ],
    ['socket without address', { listen: { backlog: 5 } }, 'services.a.listen: has no address'],
    ['wrong type', { watch: 5 }, 'services.a.watch: must be a list of globs, or false, not 5'],
    [
      'wrong type of the command',
      { command: 5 },
      'services.a.command: must be a string, which runs in sh, or a list of strings, which is executed as it is, not 5',
    ],
    [
      'wrong choice',
      { swap: 'overlaps' },
      'services.a.swap: must be "hold", "overlap" or "exclusive", not "overlaps" (did you mean "overlap"?)',
    ],
    ['unknown signal', { stop: { signal: 'TERM' } }, 'not "TERM" (did you mean "SIGTERM"?)'],
    [
      'bad time',
      { drain: '5 sec' },
      'services.a.drain: must be a time such as 500, "500ms", "5s", "15m" or "1h"',
    ],
    ['negative time', { idle: -1 }, 'services.a.idle: must be a time such as'],
    [
      'endless time',
      { ready: { timeout: '999h' } },
      'services.a.ready.timeout: is too long a time: 24 days at most',
    ],
    ['empty command', { command: ' ' }, 'services.a.command: is empty (write what starts the service'],
    ['empty list', { command: [] }, 'services.a.command: is an empty list'],
    ['NUL', { command: 'a\0b' }, 'services.a.command: a command cannot hold a NUL'],
    [
      'port out of range',
      { listen: 70000 },
      'services.a.listen: port 70000 is out of range (a port is a number from 1 to 65535)',
    ],
    [
      'port out of range in a list',
      { listen: [1, { address: 0, backlog: 5 }] },
      'services.a.listen[1].address: port 0 is no fixed port',
    ],
    [
      'binds out of range',
      { listen: { address: 1, binds: 0 } },
      'services.a.listen.binds: must be a port, a number from 1 to 65535',
    ],
    [
      '120-byte socket path',
      { listen: `unix:/${'x'.repeat(119)}` },
      'the path of the Unix socket is 120 bytes long, 106 at most',
    ],
    ['UDP', { listen: 'udp:5353' }, 'services.a.listen: udp: sockets are not in this version'],
    [
      'no socket',
      { listen: [] },
      'services.a.listen: an empty list (write false for a service without a socket)',
    ],
    ['bad socket name', { listen: { 'a b': 1 } }, 'services.a.listen["a b"]: "a b" is no name'],
    [
      'two sockets of one name',
      { listen: [1, { address: 2, name: 'http' }] },
      'services.a.listen[1]: there are two sockets "http"',
    ],
    [
      'permissions in decimal',
      { listen: { address: 'unix:./a', mode: 600 } },
      'services.a.listen.mode: must be permissions such as 0o600, or "600" as text',
    ],
    [
      'permissions of a port',
      { listen: { address: 1, mode: '600' } },
      'services.a.listen.mode: only a Unix socket has permissions',
    ],
    [
      'overlapping sockets',
      { listen: [3000, '*:3000'] },
      'services.a.listen: *:3000 overlaps with localhost:3000 of its socket http',
    ],
    [
      'bad glob',
      { watch: ['src/**', 'src/{a,b'] },
      'services.a.watch[1]: bad glob "src/{a,b": "{" is not closed (write "\\\\{"',
    ],
    ['absolute glob', { watch: '/etc/**' }, 'services.a.watch: the glob "/etc/**" is absolute'],
    ['empty glob', { watch: [''] }, 'services.a.watch[0]: an empty glob'],
    [
      'globs that leave all out',
      { watch: ['!a'] },
      'services.a.watch: only leaves files out, so that nothing is watched',
    ],
    [
      'bad regex',
      { ready: { log: '(' } },
      'services.a.ready.log: bad regular expression: /(/: Unterminated group',
    ],
    [
      'two kinds of ready',
      { ready: { log: 'x', notify: true } },
      'services.a.ready: only one of notify, log can be meant',
    ],
    ['bad path', { ready: { http: 'health' } }, 'services.a.ready.http: must be a path that begins with "/"'],
    [
      'no such folder',
      { cwd: 'nowhere' },
      'services.a.cwd: there is no folder ./nowhere (it is relative to the configuration)',
    ],
    [
      'a file for a folder',
      { cwd: 'devsock.config.json' },
      'services.a.cwd: ./devsock.config.json is no folder',
    ],
    ['missing envFile', { envFile: '.env' }, 'services.a.envFile: cannot read ./.env: there is no such file'],
    ['envFile that is a folder', { envFile: '.' }, 'services.a.envFile: cannot read .: it is a folder'],
    [
      'variable not set',
      { env: { A: '${DEVSOCK_TEST_NONE}' } },
      'services.a.env.A: ${DEVSOCK_TEST_NONE} is not set',
    ],
    ['unknown sibling', { env: { A: '${b.url}' } }, 'services.a.env.A: ${b.url}: there is no service "b"'],
    [
      'bad name of a variable',
      { env: { 'A=B': 'x' } },
      'services.a.env["A=B"]: "A=B" is no name of a variable',
    ],
    ['NUL in a variable', { env: { A: '\0' } }, 'services.a.env.A: a variable cannot hold a NUL'],
    [
      'on-demand worker',
      { listen: false, start: 'on-demand' },
      'services.a.start: without a socket nothing can ask for it',
    ],
    [
      'a signal to reload that ends the server',
      { watch: ['src/**'], reload: 'SIGTERM' },
      'services.a.reload: SIGTERM ends a program',
    ],
    [
      'a reload that nothing would ask for',
      { reload: 'SIGHUP' },
      'services.a.reload: nothing is watched that could send it',
    ],
    [
      'a program other than node that is to be booted ahead',
      { command: 'node a.js | tee log', standby: true },
      'services.a.standby: no process can be booted ahead: the command is not `node FILE`',
    ],
    [
      'a node that would have done something before it waits',
      { command: ['node', '--no-warnings', '--env-file=.env', 'a.js'], standby: true },
      'services.a.standby: no process can be booted ahead: --env-file=.env has an effect before the program runs',
    ],
    [
      'a word that sh would read in its own way, where node has its options',
      { command: 'node "--inspect" a.js', standby: true },
      'services.a.standby: no process can be booted ahead: the command is not `node FILE`',
    ],
    [
      'a worker that is to be booted ahead',
      { command: 'node a.js', listen: false, standby: true },
      'services.a.standby: no process can be booted ahead: a worker',
    ],
    [
      'http probe of a worker',
      { listen: false, ready: { http: '/' } },
      'services.a.ready.http: without a socket there is nothing to ask',
    ],
  ])('%s', async (_, service, message) => {
    const problems = await problemsOf(service)
    expect(problems).toEqual([expect.stringContaining(message)])
  })

  test.each<[object, string]>([
    [{ mode: 'accept' }, 'services.a.mode: modes other than "listen" are not in this version'],
    [{ mode: 'relay' }, 'services.a.mode: modes other than "listen" are not in this version'],
    [{ task: true }, 'services.a.task: tasks are not in this version'],
    [{ needs: ['b'] }, 'services.a.needs: `needs` is not in this version'],
    [{ build: 'make' }, 'services.a.build: `build` is not in this version'],
  ])('what is still to come: %j', async (service, message) => {
    expect(await problemsOf(service)).toEqual([expect.stringContaining(message)])
  })

  test('what is still to come has a code of its own if nothing else is wrong', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { a: { command: 'x', listen: 1, task: true } } },
    })
    expect((await folder.failure()).code).toBe('not-in-this-version')
    await folder.write({
      'devsock.config.json': { services: { a: { command: 'x', listen: 0, task: true } } },
    })
    expect((await folder.failure()).code).toBe('configuration-invalid')
  })

  test('nothing known of the command', async () => {
    expect(await problemsOf({ command: './serve', listen: undefined })).toEqual([
      'services.a.listen: is missing, and no framework is known that "./serve" starts (write its port, listen: 3000, or listen: false for a worker)',
    ])
    expect(await problemsOf({ command: 'php -S $HOST', listen: undefined })).toEqual([
      expect.stringContaining('PHP has no usual port'),
    ])
  })

  test('a line of an envFile, in its own place', async () => {
    const problems = await problemsOf({ envFile: '.env' }, { '.env': 'A=1\n# fine\n\nB: 2\n' })
    expect(problems).toEqual([
      '.env:4:1 services.a.envFile: line 4 of .env is neither NAME=value nor a comment (a comment begins with "#")',
    ])
  })

  test('an envFile that is no text', async () => {
    expect(await problemsOf({ envFile: 'bin' }, { bin: 'A=1\0' })).toEqual([
      'bin:1:4 services.a.envFile: line 1 of bin is no text file',
    ])
  })

  test('a service without a command, in either file', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { a: { listen: 1 } } },
      'devsock.local.json': { services: { b: { listen: 2 } } },
    })
    expect(await folder.problems()).toEqual(['devsock.config.json:3:5 services.a.command: is missing'])
    await folder.write({ 'devsock.config.json': { services: { a: 'vite' } } })
    expect(await folder.problems()).toEqual([
      expect.stringMatching(/^devsock\.local\.json:3:5 services\.b\.command: is missing/),
    ])
  })

  test('names', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        name: '@acme/x',
        services: { 'a b': 'vite', ['x'.repeat(65)]: { command: 'y', listen: 1 } },
      },
    })
    expect(await folder.problems()).toEqual([
      'devsock.config.json:2:11 name: "@acme/x" is no name (letters, digits, ".", "_" and "-", the first a letter or digit)',
      expect.stringContaining('4:5 services["a b"]: "a b" is no name'),
      expect.stringContaining('the name is 65 letters long, 64 at most'),
    ])
  })

  test.each([
    [{}, 'services: is missing'],
    [{ services: {} }, 'services: there is no service'],
    [{ services: [] }, 'services: must be an object, not a list'],
    [[], ': must be an object, not a list'],
    ['5', ': must be an object, not 5'],
  ])('no services: %j', async (config, message) => {
    await using folder = await TestFolder.with({ 'devsock.config.json': config })
    expect(await folder.problems()).toEqual([expect.stringContaining(message)])
  })

  test('one port twice', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        services: {
          a: { command: 'x', listen: 3000 },
          b: { command: 'x', listen: '127.0.0.1:3000' },
          c: { command: 'x', listen: [4000, 3000] },
        },
      },
    })
    expect(await folder.problems()).toEqual([
      'devsock.config.json:9:17 services.b.listen: 127.0.0.1:3000 overlaps with localhost:3000 of a (give one of them another port, or "auto")',
      expect.stringContaining("services.c.listen: localhost:3000 is a's already"),
    ])
  })

  test('variables of two services with one name', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        services: {
          'my-api': { command: 'x', listen: 1 },
          my_api: { command: 'x', listen: 2 },
          web: { command: 'x', listen: { http: 3, 'x-y': 4, x_y: 5 } },
          mail: { command: 'x', listen: { http: 6, admin: 7 } },
          'mail-admin': { command: 'x', listen: 8 },
        },
      },
    })
    expect(await folder.problems()).toEqual([
      expect.stringContaining(
        'services.my_api: my-api and my_api would both be told of in DEVSOCK_MY_API_URL (rename one of them)',
      ),
      expect.stringContaining(
        'services.web: its sockets x-y and x_y would both be told of in DEVSOCK_WEB_X_Y_PORT',
      ),
      expect.stringContaining(
        'services.mail-admin: mail and mail-admin would both be told of in DEVSOCK_MAIL_ADMIN_PORT',
      ),
    ])
  })

  test('JSON that is none, with its place', async () => {
    await using folder = await TestFolder.with({ 'devsock.config.json': '{\n  // api\n  "services": {}\n}' })
    expect(await folder.problems()).toEqual([
      'devsock.config.json:2:3 : JSON has no comments (remove it, or write the configuration in devsock.config.ts)',
    ])
    await folder.write({ 'devsock.config.json': '{\n  "services": { "a": {' })
    expect(await folder.problems()).toEqual(['devsock.config.json:2:23 : the file ends in the middle'])
  })

  test('a place in package.json', async () => {
    await using folder = await TestFolder.with({
      'package.json':
        '{\n "services": {},\n "devsock": {\n  "services": { "a": { "command": "x", "listen": 0 } } } }',
    })
    expect(await folder.problems()).toEqual([
      expect.stringMatching(/^package\.json:4:50 services\.a\.listen: port 0/),
    ])
  })

  test('the local file, where it is what is wrong', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { a: { command: 'x', listen: 3000 } } },
      'devsock.local.json': { services: { a: { listen: 0, drian: 1 } } },
    })
    expect(await folder.problems()).toEqual([
      expect.stringMatching(/^devsock\.local\.json:5:7 services\.a\.drian: unknown key/),
    ])
    await folder.write({ 'devsock.local.json': { services: { a: { listen: 0 } } } })
    expect(await folder.problems()).toEqual([
      expect.stringMatching(/^devsock\.local\.json:4:17 services\.a\.listen: port 0/),
    ])
  })

  test('all at once, in the order of the file', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': {
        services: {
          b: { command: 'x', listen: 0, stop: { signal: 'SIGHUP' }, task: true },
          a: { command: '', listen: 'x' },
        },
      },
    })
    const failure = await folder.failure()
    expect(failure.message).toBe('devsock.config.json: 4 problems')
    expect(failure.problems?.map(({ path, line }) => `${line} ${path}`)).toEqual([
      '5 services.b.listen',
      '9 services.b.task',
      '12 services.a.command',
      '13 services.a.listen',
    ])
  })

  test('an envFile that may not be read', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.json': { services: { a: { command: 'x', listen: 1, envFile: 'loop' } } },
    })
    // Root may read everything: a link that leads to itself is as unreadable to all.
    await symlink('loop', folder.file('loop'))
    expect(await folder.problems()).toEqual([
      expect.stringContaining('services.a.envFile: cannot read ./loop: ELOOP'),
    ])
  })
})

test('a reference to a variable is looked up in the environment of `up`', async () => {
  await using folder = await TestFolder.with({
    'devsock.config.json': { services: { a: { command: 'x', listen: 1, env: { A: '${WHO}' } } } },
  })
  expect(await folder.problems()).toEqual([expect.stringContaining('${WHO} is not set')])
  expect((await folder.load({ env: scrubbed({ WHO: 'ann' }) })).services[0]?.env).toEqual({ A: '${WHO}' })
})
