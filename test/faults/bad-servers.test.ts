/** Servers that do what servers should not: one clear message each, and no other service notices. */
import { rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../rig/ports.ts'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

/** `bad`, as it is described, and `good`, which must not notice any of it. */
async function withBad(
  bad: object,
  files: Record<string, string> = {},
): Promise<{ rig: Rig; port: number; good: number; unharmed(): Promise<void> }> {
  const rig = await Rig.create({ files: { 'good.mjs': nodeServer(), ...files } })
  const [port, good] = [await rig.port(), await rig.port()]
  await rig.configure({
    bad: { listen: port, watch: ['bad.*'], ...bad },
    good: { command: ['node', 'good.mjs'], listen: good },
  })
  await rig.up()
  const pid = (await rig.request(good, '/pid')).body
  const unharmed = async () => expect((await rig.request(good, '/pid')).body).toBe(pid)
  return { rig, port, good, unharmed }
}

test.each([
  {
    what: 'a string whose program does not exist',
    bad: { command: 'no-such-program --serve' },
    says: /^exit 127 before it was ready/,
    hint: /the shell did not find the command/,
  },
  {
    what: 'an array whose program does not exist',
    bad: { command: ['no-such-program', '--serve'] },
    says: /^command not found: no-such-program$/,
    hint: /correct `command` of bad/,
  },
  {
    what: 'a file that may not be executed',
    bad: { command: ['./bad.txt'] },
    says: /may not be executed/,
    hint: /chmod \+x/,
  },
  {
    what: 'an end at once, well',
    bad: { command: ['true'] },
    says: /^exit 0 before it was ready; waits for a change in bad\.\*$/,
    hint: null,
  },
  {
    what: 'an end at once, badly',
    bad: { command: 'echo the cause; exit 9' },
    says: /^exit 9 before it was ready/,
    hint: null,
  },
  {
    what: 'a death by signal',
    bad: { command: 'kill -SEGV $$' },
    says: /^killed by SIGSEGV before it was ready/,
    hint: null,
  },
])('a command that is $what', async ({ bad, says, hint }) => {
  const { rig, port, unharmed } = await withBad(bad, { 'bad.txt': 'no program' })
  await using _ = rig
  const answer = await rig.request(port)
  expect(answer.status).toBe(503)
  const { state, reason, pid } = await rig.service('bad')
  expect({ state, pid }).toEqual({ state: 'failed', pid: null })
  expect(reason.message).toMatch(says)
  if (hint) expect(reason.hint).toMatch(hint)
  expect(answer.body).toContain(reason.message)
  const wait = await rig.devsock('wait', 'bad')
  expect([wait.code, wait.stderr]).toEqual([1, expect.stringContaining(reason.message)])
  await unharmed()
})

test('a folder that is deleted between the configuration and the start is named', async () => {
  const { rig, port, unharmed } = await withBad(
    { command: ['node', 'server.mjs'], cwd: 'below', retry: { delay: '50ms' }, watch: ['*.mjs'] },
    { 'below/server.mjs': nodeServer() },
  )
  await using _ = rig
  await rename(join(rig.dir, 'below'), join(rig.dir, 'moved'))
  expect((await rig.request(port)).body).toContain(`its folder does not exist: ${join(rig.dir, 'below')}`)
  await unharmed()
  await rename(join(rig.dir, 'moved'), join(rig.dir, 'below'))
  await rig.succeed('restart', 'bad')
  await rig.succeed('wait', 'bad')
  expect((await rig.request(port)).body).toBe('v1')
})

test('a server on another port than its own is told which one, and ended', async () => {
  const other = await freePort()
  const { rig, port, unharmed } = await withBad(
    { command: ['node', 'bad.mjs'], ready: { timeout: '700ms' }, adopt: false },
    { 'bad.mjs': `import { createServer } from 'node:http'\ncreateServer().listen(${other})` },
  )
  await using _ = rig
  expect((await rig.request(port)).body).toContain(
    `it listens on port ${other}, not on its socket (port ${port})`,
  )
  await expect(rig.request(other)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await unharmed()
})

test('a server that never listens is told so at its deadline, and nobody waits longer', async () => {
  const { rig, port, unharmed } = await withBad({ command: ['sleep', '1000'], ready: { timeout: '500ms' } })
  await using _ = rig
  const waiting = [rig.request(port), rig.request(port), rig.request(port)]
  for (const { status, body } of await Promise.all(waiting)) {
    expect([status, body]).toEqual([503, expect.stringContaining('accepted no connection')])
  }
  await rig.eventually(async () => !(await rig.processes()).some(({ command }) => command === 'sleep 1000'))
  await unharmed()
})

test('a server that ignores SIGTERM is killed after its time, by a swap and by down', async () => {
  const deaf = nodeServer('v1', `process.on('SIGTERM', () => {})`)
  const { rig, port, unharmed } = await withBad(
    { command: ['node', 'bad.mjs'], stop: { timeout: '300ms' } },
    { 'bad.mjs': deaf },
  )
  await using _ = rig
  const { body: first } = await rig.request(port, '/pid')
  await rig.edit('bad.mjs', (text) => text.replace("'v1'", "'v2'"))
  await rig.succeed('wait', 'bad')
  expect((await rig.request(port)).body).toBe('v2')
  await rig.eventually(async () => !(await rig.processes()).some(({ pid }) => String(pid) === first))
  await unharmed()
  const began = performance.now()
  await rig.succeed('down')
  expect(performance.now() - began).toBeLessThan(3000)
})

test('a server that forks away is told to stay in the foreground, and what it left is ended', async () => {
  const { rig, port, unharmed } = await withBad({ command: '(sleep 1001 &) ; exit 0' })
  await using _ = rig
  await rig.request(port)
  const { reason } = await rig.until('bad', 'failed')
  expect(reason.message).toMatch(/^ended with exit 0 but left 1 process running/)
  expect(reason.hint).toContain('foreground')
  await rig.eventually(async () => !(await rig.processes()).some(({ command }) => command === 'sleep 1001'))
  await unharmed()
})

test('a descendant that left the session is ended with its generation, by a swap and by down', async () => {
  const stray = nodeServer(
    'v1',
    `import { spawn } from 'node:child_process'
spawn('setsid', ['sleep', version === 'v1' ? '1002' : '1003'], { detached: true, stdio: 'ignore' })`,
  )
  const { rig, port, unharmed } = await withBad({ command: ['node', 'bad.mjs'] }, { 'bad.mjs': stray })
  await using _ = rig
  const lives = async (command: string) =>
    (await rig.processes()).some((each) => each.command.endsWith(command))
  await rig.request(port)
  await rig.eventually(() => lives('sleep 1002'))
  await rig.edit('bad.mjs', (text) => text.replace("const version = 'v1'", "const version = 'v2'"))
  await rig.eventually(() => lives('sleep 1003'))
  await rig.eventually(async () => !(await lives('sleep 1002')))
  await unharmed()
  await rig.succeed('down')
  expect((await rig.processes()).filter(({ command }) => command.includes('sleep'))).toEqual([])
})

test('100 MB of log take a bounded part of the disk, and the daemon answers meanwhile', async () => {
  const { rig, port, unharmed } = await withBad({
    command: `exec node -e "
      const { createServer } = require('http'); const { writeSync } = require('fs')
      const chunk = ('x'.repeat(99) + '\\n').repeat(1000)
      createServer((_, r) => { for (let i = 0; i < 1000; i++) writeSync(1, chunk); r.end('written') }).listen({ fd: 3 })"`,
  })
  await using _ = rig
  const written = rig.request(port, '/', { deadline: 60_000 })
  let slowest = 0
  for (let done = false; !done; ) {
    const began = performance.now()
    await rig.status()
    slowest = Math.max(slowest, performance.now() - began)
    done = await Promise.race([
      written.then(() => true),
      new Promise<false>((resolve) => setImmediate(resolve, false)),
    ])
  }
  expect((await written).body).toBe('written')
  expect(slowest).toBeLessThan(1000)
  const log = join(rig.stateDir, 'logs/shop/bad/1.log')
  await rig.eventually(async () => (await stat(log)).blocks * 512 < 40_000_000, { what: 'a bounded log' })
  const { stdout } = await rig.succeed('logs', 'bad', '-n', '3')
  expect(stdout.split('\n').filter((line) => line.includes('x'.repeat(99)))).toHaveLength(3)
  await unharmed()
})

test('what a server prints cannot steer the terminal, nor break the stream of lines', async () => {
  const { rig, port, unharmed } = await withBad(
    { command: ['node', 'bad.mjs'] },
    {
      'bad.mjs': nodeServer(
        'v1',
        `process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a]))
process.stdout.write('\\x1b]0;title\\x07\\x1b[2Jclear\\x1b[?1049h\\n' + 'long '.repeat(100_000) + '\\nlast line\\n')`,
      ),
    },
  )
  await using _ = rig
  const up = rig.start('up', '--json')
  await rig.eventually(() => up.stdout.includes('"type":"snapshot"'))
  await rig.request(port)
  await rig.eventually(() => up.stdout.includes('"text":"last line"'))
  for (const line of up.stdout.split('\n').slice(0, -1)) expect(() => JSON.parse(line)).not.toThrow()
  const { stdout } = await rig.succeed('logs', 'bad')
  for (const control of ['\x1b]', '\x1b[2J', '\x1b[?', '\x07', '\x00']) expect(stdout).not.toContain(control)
  expect(stdout).toContain('last line')
  await unharmed()
  up.kill('SIGINT')
})
