/** The screen of `devsock up` on a real terminal, against the real daemon. */
import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { displayWidth } from '../../cli/print/width.ts'
import { FLOOD } from '../rig/flood.ts'
import { signal } from '../rig/processes.ts'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'
import { Tmux, type TmuxOptions } from '../rig/tmux.ts'

// Each waits for a daemon and a screen several times, and for tmux.
vi.setConfig({ testTimeout: 180_000 })

const COMMAND = ['node', 'server.mjs']

/** A project of two servers, up on a terminal. */
async function shop(options: TmuxOptions = {}, args: string[] = []) {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [web, api] = [await rig.port(), await rig.port()]
  await rig.configure({
    web: { command: COMMAND, listen: web },
    api: { command: COMMAND, listen: api },
  })
  const tmux = await Tmux.start(rig, rig.argv('up', ...args), options)
  await tmux.shows('› web')
  return { rig, tmux, web, api }
}

const widest = (screen: string): number => Math.max(...screen.split('\n').map(displayWidth))

describe.each([
  [80, 24],
  [200, 60],
  [40, 20],
])('at %i×%i', (columns, rows) => {
  test('it shows what happens, and fits', async () => {
    const { rig, tmux, web } = await shop({ columns, rows })
    await using _ = rig
    await using __ = tmux
    await rig.request(web)
    const screen = await tmux.shows(/› web +● ready/)
    expect(screen).toContain(`localhost:${web}`.slice(0, 12))
    expect(screen.split('\n')[0]).toBe('shop · 1 held · 1 ready')
    await tmux.press('Enter')
    // The log has that word, too, until the detail is there.
    await tmux.until((text) => text.includes('generation') && !text.includes('── all'), 'the detail')
    // Both come in one read.
    await tmux.press('Escape', '?')
    await tmux.shows('select a service')
    await tmux.press('Escape')
    await tmux.shows('── all services')
    await tmux.press(':')
    await tmux.shows('› restart web')
    await tmux.press('Escape')
    await tmux.shows('? help')
    await tmux.press('l')
    const alone = await tmux.until((text) => !text.includes('SERVICE'), 'the log alone')
    expect(alone.split('\n').findLast((row) => row !== '')).toContain('? help')
    for (const each of [screen, alone]) expect(widest(each)).toBeLessThanOrEqual(columns)
    await tmux.press('q', 'q')
    expect((await tmux.ended()).screen).toContain('✓ shop: 2 services ended, 2 ports released')
  })
})

test('it follows the terminal when that is resized', async () => {
  const { rig, tmux } = await shop()
  await using _ = rig
  await using __ = tmux
  for (const [columns, rows] of [
    [40, 12],
    [120, 40],
    [60, 8],
    [80, 24],
  ] as const) {
    await tmux.resize(columns, rows)
    const fits = (screen: string): boolean => {
      const lines = screen.trimEnd().split('\n')
      const isWhole = lines.length === rows && lines.at(-1)?.startsWith('? help') === true
      return isWhole && widest(screen) <= columns && screen.match(/SERVICE/g)?.length === 1
    }
    await tmux.until(fits, `${rows} rows, the last of them the keys`)
  }
})

test('every key does what the help says', async () => {
  const { rig, tmux, web, api } = await shop({ env: { BROWSER: './browser' } })
  await using _ = rig
  await using __ = tmux
  await rig.write({ browser: '#!/bin/sh\necho "$@" >> opened\n' })
  await chmod(join(rig.dir, 'browser'), 0o755)
  const opened = () => readFile(join(rig.dir, 'opened'), 'utf8')
  await rig.request(web)
  await rig.until('web', 'ready')
  await tmux.press('j')
  await tmux.shows('› api')
  await tmux.press('Up')
  await tmux.shows('› web')
  await tmux.press('r')
  await rig.eventually(async () => (await rig.service('web')).generation === 2)
  await tmux.press('R')
  await rig.eventually(async () => (await rig.service('web')).generation === 3)
  await Promise.all([rig.until('web', 'ready'), rig.until('api', 'ready')])
  await tmux.press('z')
  await rig.until('web', 'held')
  await tmux.press('Z')
  await rig.until('api', 'held')
  await tmux.press('s')
  await rig.until('web', 'stopped')
  // What the keys act on is what the screen shows.
  await tmux.shows(/web +\S+ stopped/)
  await tmux.press('s')
  await rig.until('web', 'ready')
  await tmux.shows(/web +\S+ ready/)
  await tmux.press('S')
  await Promise.all([rig.until('web', 'stopped'), rig.until('api', 'stopped')])
  await tmux.shows('2 stopped')
  await tmux.press('S')
  await Promise.all([rig.until('web', 'ready'), rig.until('api', 'ready')])
  await tmux.shows('2 ready')
  await tmux.press('x')
  await tmux.shows('nobody else has its port')
  await tmux.press('o')
  await rig.eventually(async () => (await opened()).includes(`http://localhost:${web}/`))
  await tmux.press('O')
  await rig.eventually(async () => (await opened()).includes('/#'))
  await tmux.press('e')
  await tmux.shows('nothing has failed')
  await tmux.press('i')
  await tmux.shows('handover')
  await tmux.press('PageDown', 'PageDown', 'PageDown', 'PageDown')
  await tmux.shows(/environment +\w/)
  await tmux.press('Escape')
  await tmux.shows('── all services')
  await tmux.press('f')
  await tmux.shows('── web ')
  await tmux.press('Escape')
  await tmux.shows('── all services')
  await tmux.type('/swapped')
  await tmux.press('Enter')
  await tmux.shows('paused')
  await tmux.press('N')
  await tmux.press('n')
  await tmux.press('G')
  await tmux.until((screen) => !screen.includes('paused'), 'the end of the log')
  await tmux.type('&no such line')
  await tmux.press('Enter')
  await tmux.shows('only lines with no such line')
  await tmux.press('Escape')
  await tmux.until((screen) => !screen.includes('only lines'), 'all lines')
  await tmux.press('w')
  await tmux.shows('wrapped')
  await tmux.press('w')
  await tmux.until((screen) => !screen.includes('wrapped'), 'lines that are cut')
  await tmux.press('L')
  await tmux.until(
    (screen) => !screen.includes('SERVICE') && screen.includes('── web '),
    'the log of web alone',
  )
  await tmux.press('f', 'f', 'q')
  await tmux.shows('SERVICE')
  await tmux.type(':restart api')
  await tmux.press('Enter')
  const before = (await rig.service('api')).generation
  await rig.eventually(async () => (await rig.service('api')).generation >= before)
  await tmux.type(`:free ${api}`)
  await tmux.press('Enter')
  await tmux.shows(/is held by devsock itself/)
  await tmux.press('C-l')
  await tmux.shows('› web')
  await tmux.press('d')
  const { status, screen } = await tmux.ended()
  expect(status).toBe(0)
  expect(screen).toContain('shop stays up')
  expect((await rig.request(web)).status).toBe(200)
})

describe('how it ends', () => {
  test('Ctrl-C brings down what this up started', async () => {
    const { rig, tmux } = await shop()
    await using _ = rig
    await using __ = tmux
    await tmux.press('C-c')
    const { status, screen } = await tmux.ended()
    expect(status).toBe(130)
    expect(screen).toContain('✓ shop: 2 services ended')
    expect((await rig.status()).projects).toEqual([])
  })

  test('a second Ctrl-C does not wait for a server that will not end', async () => {
    await using rig = await Rig.create({
      files: {
        'stubborn.mjs':
          "process.on('SIGTERM', () => console.log('no')); setInterval(() => {}, 1000); console.log('up')",
      },
    })
    await rig.configure({
      api: { command: ['node', 'stubborn.mjs'], listen: false, stop: { signal: 'SIGTERM', timeout: '600s' } },
    })
    await using tmux = await Tmux.start(rig, rig.argv('up'))
    await tmux.shows('| up')
    await tmux.press('C-c')
    await tmux.shows('^C again: at once')
    await tmux.shows('| no')
    await tmux.press('C-c')
    expect((await tmux.ended()).status).toBe(130)
  })

  test('one that only attached leaves it up', async () => {
    const { rig, tmux, web } = await shop()
    await using _ = rig
    await using __ = tmux
    await tmux.press('d')
    await tmux.ended()
    await tmux[Symbol.asyncDispose]()
    await using attached = await Tmux.start(rig, rig.argv('up'))
    await attached.shows('shop is up already')
    await attached.shows('q leave')
    await attached.press('C-c')
    expect((await attached.ended()).status).toBe(130)
    expect((await rig.request(web)).status).toBe(200)
  })

  test('a terminal that goes away takes with it what it started', async () => {
    const { rig, tmux, web } = await shop()
    await using _ = rig
    await rig.request(web)
    await tmux[Symbol.asyncDispose]()
    await rig.eventually(async () => (await rig.status()).projects.length === 0, { deadline: 20_000 })
  })
})

describe('output that nobody reads any more', () => {
  const TICKING = { command: ['node', '-e', "setInterval(() => console.log('tick'), 50)"], listen: false }
  const ticking = async (): Promise<Rig> => {
    const rig = await Rig.create()
    await rig.configure({ clock: TICKING })
    return rig
  }
  /** Its exit code is printed after what the reader got. */
  const cut = (rig: Rig) =>
    rig.spawn(['bash', '-c', '"$@" | head -1; echo "code $PIPESTATUS"', '-', ...rig.argv('up')]).finished()

  test('ends the up that brought the project up, quietly, and the project with it', async () => {
    await using rig = await ticking()
    const { stdout, stderr } = await cut(rig)
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^✓ shop.*\ncode 0\n$/), stderr: '' })
    await rig.eventually(async () => (await rig.status()).projects.length === 0)
  })

  test('ends an up that only attached, and nothing else', async () => {
    await using rig = await ticking()
    await rig.up()
    const { generation } = await rig.until('clock', 'ready')
    const { stdout, stderr } = await cut(rig)
    expect({ stdout, stderr }).toEqual({ stdout: '✓ shop is up already\ncode 0\n', stderr: '' })
    expect(await rig.service('clock')).toMatchObject({ state: 'ready', generation })
  })

  test('is a terminal that goes away, too, where a shell keeps SIGHUP to itself', async () => {
    await using rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
    await rig.configure({ web: { command: COMMAND, listen: await rig.port() } })
    const shell = `trap '' HUP; "$@" 2>errors; echo "code $?" >ended`
    await using tmux = await Tmux.start(rig, ['sh', '-c', shell, '-', ...rig.argv('up')])
    await tmux.shows('› web')
    await tmux[Symbol.asyncDispose]()
    const [ended, errors] = await Promise.all(
      ['ended', 'errors'].map((name) => readFile(join(rig.dir, name), 'utf8')),
    )
    expect({ ended, errors }).toEqual({ ended: 'code 130\n', errors: '' })
    await rig.eventually(async () => (await rig.status()).projects.length === 0)
  })
})

test('kill -9 of the daemon: the screen says so, comes back, has every line, and its keys work', async () => {
  const { rig, tmux, web } = await shop()
  await using _ = rig
  await using __ = tmux
  await rig.request(web)
  await tmux.shows(/› web +● ready/)
  const before = await rig.daemonPid()
  signal(before, 'SIGKILL')
  await tmux.shows('the daemon went away')
  await tmux.shows('the daemon is back')
  expect(await rig.daemonPid()).not.toBe(before)
  await tmux.press('r')
  await rig.eventually(async () => (await rig.service('web')).generation === 2)
  await tmux.shows(/web swapped · generation 2/)
})

describe('a service that prints ten thousand lines a second', () => {
  test('freezes no key', async () => {
    await using rig = await Rig.create({ files: { 'flood.mjs': FLOOD } })
    await rig.configure({ flood: { command: ['node', 'flood.mjs'], listen: false } })
    await using tmux = await Tmux.start(rig, rig.argv('up'), { columns: 200, rows: 60 })
    await tmux.shows(/\| line \d/)
    for (let round = 0; round < 5; round++) {
      await tmux.press('PageUp')
      const paused = await tmux.shows('paused')
      const [, top] = /\| (line \d+)/.exec(paused) ?? []
      // It goes on behind what is read.
      await tmux.shows(/\d+ new lines/)
      expect(/\| (line \d+)/.exec(await tmux.screen())?.[1]).toBe(top)
      await tmux.press('G')
      await tmux.until((screen) => !screen.includes('paused'), 'the end of the log')
    }
    await tmux.press('q')
    expect((await tmux.ended()).status).toBe(0)
  })
})

describe('what services print', () => {
  test('reaches the terminal as text and colours, whatever it is', async () => {
    const evil = [
      'ESC[2JESC[Hcleared',
      'ESC]0;evil titleBELtitled',
      'ESC]52;c;ZXZpbA==BELclipboard',
      'ESC[?1049lleft',
      'ESC[?2004hpaste',
      'ESC[1;3rregion',
      'ESCcreset',
      'ESC[31mred',
      'ESC[6nasked',
      'ESC]8;;http://x/ESC\\\\linkESC]8;;ESC\\\\',
    ].map((text) => text.replaceAll('ESC', '\\u001b').replaceAll('BEL', '\\u0007'))
    await using rig = await Rig.create({
      files: {
        'evil.mjs': `for (const text of [${evil.map((text) => `"${text}"`).join()}]) console.log(text); setInterval(() => {}, 1e6)`,
      },
    })
    await rig.configure({ evil: { command: ['node', 'evil.mjs'], listen: false } })
    await using tmux = await Tmux.start(rig, rig.argv('up'))
    await tmux.shows('| link')
    const screen = await tmux.shows('shop · 1 ready')
    for (const word of ['cleared', 'titled', 'clipboard', 'left', 'paste', 'region', 'reset', 'red', 'asked'])
      expect(screen).toContain(`evil    | ${word}\n`)
    expect(screen.split('\n')[0]).toBe('shop · 1 ready')
    expect(await tmux.title()).not.toContain('evil')
    expect(await tmux.screen({ styled: true })).toContain('\u001b[31mred')
  })
})

test('NO_COLOR: marks and words are enough', async () => {
  const { rig, tmux } = await shop({ env: { NO_COLOR: '1' } })
  await using _ = rig
  await using __ = tmux
  await tmux.type('/dashboard')
  await tmux.press('Enter')
  await tmux.shows('paused')
  const styled = await tmux.screen({ styled: true })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  expect(styled).not.toMatch(/\u001b\[(?:[0-9]+;)*(?:3[0-7]|4[0-7]|9[0-7]|38|48)[;m]/)
  expect(styled).toContain('\u001b[7mdashboard')
})

test('a terminal that can do nothing gets plain lines', async () => {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  await using _ = rig
  const web = await rig.port()
  await rig.configure({ web: { command: COMMAND, listen: web } })
  await using tmux = await Tmux.start(rig, ['env', 'TERM=dumb', ...rig.argv('up')])
  await tmux.shows(/✓ shop · 1 port held/)
  await rig.request(web)
  await tmux.shows('✓ web ready · generation 1')
  await tmux.press('C-c')
  expect((await tmux.ended()).status).toBe(130)
})

test('a screen reader hears what happens once, and every key works by words', async () => {
  const { rig, tmux, web } = await heard()
  await using _ = rig
  await using __ = tmux
  await tmux.shows('web held, ')
  await rig.request(web)
  await tmux.shows('✓ web ready · generation 1')
  await tmux.shows('web ready, ')
  await tmux.press('j')
  await tmux.shows(/api held.*2 of 2/)
  await tmux.type(':restart we')
  await tmux.press('Enter')
  await tmux.shows('✓ web ready · generation 2')
  const screen = await tmux.screen()
  expect(screen.match(/✓ web ready · generation 1/g)).toHaveLength(1)
  await tmux.press('q')
  expect((await tmux.ended()).screen).toContain('✓ shop: 2 services ended')
})

async function heard() {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer() } })
  const [web, api] = [await rig.port(), await rig.port()]
  await rig.configure({ web: { command: COMMAND, listen: web }, api: { command: COMMAND, listen: api } })
  const tmux = await Tmux.start(rig, rig.argv('up'), { env: { INK_SCREEN_READER: 'true' } })
  return { rig, tmux, web, api }
}
