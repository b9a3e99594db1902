/** The holder steers at the moment of a save: tripwire. */
import { chmodSync, mkdtempSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tripwire } from '../../native/index.ts'
import { eventually } from '../rig/eventually.ts'
import { stateOf } from '../rig/processes.ts'
import { answering, fetchFrom, type HolderPeer, open, TestHolder } from './holder-rig.ts'
import { Program } from './moves-rig.ts'

interface Scene extends AsyncDisposable {
  holder: TestHolder
  daemon: HolderPeer
  port: number
  old: Program
  file: string
  path(name: string): string
}

/** A socket `a` whose generation on slot 0 receives, unless said; slot 1 is there; a file. */
async function scene(receives = true): Promise<Scene> {
  const { holder, daemon } = await TestHolder.start()
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 64, '600'])
  const old = await Program.start(holder, daemon, 'old', '0 http a')
  if (receives) await old.ask('receive', [0])
  await daemon.do('fresh', ['a', 1])
  const folder = mkdtempSync(join(tmpdir(), 'devsock-tripwire-'))
  const path = (name: string) => join(folder, name)
  writeFileSync(path('code'), '1')
  return {
    holder,
    daemon,
    port: Number(fields[0]),
    old,
    file: path('code'),
    path,
    [Symbol.asyncDispose]: async () => {
      old[Symbol.dispose]()
      await holder[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

/** The fd that the generation's programs were given. */
async function armed({ daemon, old, file }: Scene, slot = 1): Promise<number> {
  using files = tripwire([file])
  await daemon.do('tripwire', ['old', slot], [files])
  const [what, fd] = await old.do<[string, number]>('event')
  expect(what).toBe('tripwire')
  expect(await old.do('readable', fd)).toBe(false)
  return fd
}

const steered = async (daemon: HolderPeer): Promise<string | undefined> =>
  (await daemon.list('socket'))[0]?.fields[3]

test.each([
  ['written to', ({ file }: Scene) => writeFileSync(file, '2')],
  [
    'replaced',
    ({ file, path }: Scene) => {
      writeFileSync(path('new'), '2')
      renameSync(path('new'), file)
    },
  ],
  ['renamed', ({ file, path }: Scene) => renameSync(file, path('old'))],
  ['deleted', ({ file }: Scene) => unlinkSync(file)],
])('a file that is %s steers to the next slot, and its generation drains', async (_, change) => {
  await using at = await scene()
  const fd = await armed(at)
  change(at)
  expect(await at.old.do('readable', fd)).toBe(true)
  expect((await at.daemon.event('tripped', 'old')).args).toEqual(['old', '1'])
  expect(await at.old.do('event')).toEqual(['drain'])
  expect(await steered(at.daemon)).toBe('1')
})

test('a file whose mode or times change steers nobody', async () => {
  await using at = await scene()
  const fd = await armed(at)
  chmodSync(at.file, 0o600)
  utimesSync(at.file, 1, 1)
  expect(await at.old.do('readable', fd)).toBe(false)
  await at.daemon.do('list')
  expect(await steered(at.daemon)).toBe('0')
})

test('what the generation parks after the save is not offered to it again, whoever saw the save first', async () => {
  await using at = await scene()
  await armed(at)
  const client = await open(at.port)
  const fd = await at.old.do<number>('accept')
  writeFileSync(at.file, '2')
  expect((await at.old.ask('park', [0], [fd])).answer).toBe('ok')
  expect(await at.old.do('event')).toEqual(['drain'])
  expect((await at.old.ask('take', [0])).received).toEqual([])
  client.destroy()
})

test('who was steered away from before is left alone by a save', async () => {
  await using at = await scene()
  await armed(at)
  await at.daemon.do('fresh', ['a', 2])
  await at.daemon.do('steer', ['a', 2])
  writeFileSync(at.file, '2')
  await at.daemon.do('list')
  expect(await steered(at.daemon)).toBe('2')
  expect(at.daemon.events.map(({ what }) => what)).not.toContain('tripped')
})

test('another slot, or none, is what counts from then on', async () => {
  await using at = await scene()
  await armed(at)
  await at.daemon.do('fresh', ['a', 2])
  await at.daemon.do('tripwire', ['old', 2])
  writeFileSync(at.file, '2')
  expect((await at.daemon.event('tripped')).args).toEqual(['old', '2'])

  await using other = await scene()
  await armed(other)
  await other.daemon.do('tripwire', ['old'])
  expect(await other.old.do('event')).toEqual(['tripwire'])
  writeFileSync(other.file, '2')
  await other.daemon.do('list')
  expect(await steered(other.daemon)).toBe('0')
})

test('a program that comes later gets it too, and one that comes after the save is told to drain', async () => {
  await using at = await scene()
  await armed(at)
  await at.old.do('leave')
  await at.old.do('hello')
  await at.old.ask('receive', [0])
  expect((await at.old.do<string[]>('event'))[0]).toBe('tripwire')
  await at.old.do('leave')
  writeFileSync(at.file, '2')
  await at.daemon.event('tripped')
  await at.old.do('hello')
  await at.old.ask('receive', [0])
  expect(await at.old.do('event')).toEqual(['drain'])
})

test('what makes no sense is refused, and changes nothing', async () => {
  await using at = await scene()
  using files = tripwire([at.file])
  const refusals = [
    at.daemon.refusal('tripwire', ['none', 1], [files]),
    at.daemon.refusal('tripwire', ['old', 7], [files]),
    at.daemon.refusal('tripwire', ['old', 'x'], [files]),
    at.daemon.refusal('tripwire', ['old', 1], [files, files]),
    at.daemon.refusal('tripwire', ['old'], [files]),
    at.daemon.refusal('tripwire', ['old', 1]),
    at.daemon.refusal('tripwire', []),
  ]
  expect(await Promise.all(refusals)).toEqual([
    'ENOENT',
    'EINVAL',
    'EINVAL',
    'EINVAL',
    'EINVAL',
    'ENOENT',
    'EINVAL',
  ])
  expect((await at.old.ask('tripwire', ['old'])).answer).toBe('EPERM')
  writeFileSync(at.file, '2')
  expect(await steered(at.daemon)).toBe('0')
})

/** A generation `still` on slot 0, which does not receive, with slot 1 and who answers there. */
async function still(holder: TestHolder, daemon: HolderPeer): Promise<{ pid: number; port: number }> {
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 64, '600'])
  await daemon.do('fresh', ['a', 1])
  const spec = (id: string, slot: number) =>
    holder.spec(id, { args: answering(id), slots: [`${slot} http a`] })
  const { fields: started } = await daemon.do('spawn', [], [spec('still', 0)])
  await daemon.do('spawn', [], [spec('next', 1)])
  return { pid: Number(started[0]), port: Number(fields[0]) }
}

/** Does it while the holder is busy. */
async function whileBusy<T>(holder: TestHolder, work: () => T | Promise<T>): Promise<T> {
  process.kill(holder.pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(holder.pid, 'SIGCONT')
  }
}

test('a generation that does not receive is stopped by the save, once, until who came since is led to the next slot', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { pid, port } = await still(holder, daemon)
  const file = join(holder.dir, 'code')
  writeFileSync(file, '1')
  using files = tripwire([file])
  await daemon.do('tripwire', ['still', 1], [files])
  const answers = await whileBusy(holder, async () => {
    writeFileSync(file, '2')
    const asked = [fetchFrom({ port }), fetchFrom({ port })]
    await eventually(() => stateOf(pid) === 'T')
    return { asked }
  })
  expect(await Promise.all(answers.asked)).toEqual(['next', 'next'])
  await daemon.event('tripped', 'still')
  expect(stateOf(pid)).not.toBe('T')
  writeFileSync(file, '3')
  expect(stateOf(pid)).not.toBe('T')
})

test('nobody is stopped by the save of a file that does not count any more', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { pid } = await still(holder, daemon)
  const file = join(holder.dir, 'code')
  writeFileSync(file, '1')
  using files = tripwire([file])
  await daemon.do('tripwire', ['still', 1], [files])
  await daemon.do('tripwire', ['still'])
  writeFileSync(file, '2')
  expect(stateOf(pid)).not.toBe('T')
})

test('a generation that receives, from the start or later, is not stopped: it lets go by itself', async () => {
  await using at = await scene()
  await armed(at)
  const { pid } = at.old
  await whileBusy(at.holder, () => {
    writeFileSync(at.file, '2')
    expect(stateOf(pid)).not.toBe('T')
  })
  await at.daemon.event('tripped')

  await using other = await scene(false)
  using files = tripwire([other.file])
  await other.daemon.do('tripwire', ['old', 1], [files])
  await other.old.ask('receive', [0])
  await whileBusy(other.holder, () => {
    writeFileSync(other.file, '2')
    expect(stateOf(other.old.pid)).not.toBe('T')
  })
  await other.daemon.event('tripped')
})
