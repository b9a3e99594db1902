import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { memoryFile, sendDatagram } from '../../native/index.ts'
import { eventually } from '../rig/eventually.ts'
import { signal } from '../rig/processes.ts'
import { answering, fetchFrom, type HolderPeer, open, TestHolder } from './holder-rig.ts'

const python = (code: string, ...args: string[]): string[] => ['python3', '-c', code, ...args]

/** Runs a command as a generation to its end; what it wrote. */
async function output(holder: TestHolder, daemon: HolderPeer, args: string[], more = {}): Promise<string> {
  const id = `once#${Math.random()}`
  await daemon.do('spawn', [], [holder.spec(id, { args, ...more })])
  await daemon.event('gone', id)
  return holder.said()
}

/** The first one, which of a holder is the daemon. */
const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])

/** Nanoseconds. */
const sliceOf = (pid: number): number =>
  Number(/^se\.slice\s*:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/sched`, 'utf8'))?.[1])

const isAlive = (pid: number): boolean => signal(pid, 0)

test('a generation gets its slots at 3 and on, named, with its own pid, and nothing else', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  await daemon.do('bind', ['b b', 'loopback:0', 16, '600'])
  await daemon.do('fresh', ['b b', 1])
  const code = `import os, socket
print(int(os.environ['LISTEN_PID']) == os.getpid(), os.environ['LISTEN_FDS'], os.environ['LISTEN_FDNAMES'])
fds = [fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]
print(sorted(fds))
print([socket.socket(fileno=fd).getsockname()[1] for fd in (3, 4)])
print(os.readlink('/proc/self/fd/0'), os.readlink('/proc/self/fd/1') == os.readlink('/proc/self/fd/2'))
print(os.getsid(0) == os.getpid() == os.getpgrp(), os.environ['NOTIFY_SOCKET'])`
  const ports = (await daemon.list('socket')).map(({ fields }) => Number(fields[2]))
  const text = await output(holder, daemon, python(code), { slots: ['1 metrics b b', '0 http a'] })
  expect(text.split('\n')).toEqual([
    'True 2 metrics:http',
    "['0', '1', '2', '3', '4']",
    `[${ports[1]}, ${ports[0]}]`,
    '/dev/null True',
    `True ${holder.dir}/n/1`,
    '',
  ])
  expect(statSync(holder.output).mode & 0o777).toBe(0o600)
})

test('a generation without a slot is told of none', async () => {
  const { holder, daemon } = await TestHolder.start({ env: { LISTEN_FDS: '7', NODE_CHANNEL_FD: '9' } })
  await using _ = holder
  const code = `import os; print(sorted(k for k in os.environ if k.startswith(('LISTEN_', 'NODE_CHANNEL'))))`
  const text = await output(holder, daemon, python(code), { env: { LISTEN_FDS: '1', NODE_CHANNEL_FD: '3' } })
  expect(text).toBe('[]\n')
})

test('the holder has short slices of the processor, daemon and generations the usual ones', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('spawn', [], [holder.spec('usual', { args: ['sleep', '1000'] })])
  // Before Linux 6.12 all are of one length.
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const shortest = major > 6 || (major === 6 && minor >= 12) ? 100_000 : sliceOf(process.pid)
  expect(sliceOf(holder.pid)).toBe(shortest)
  expect(sliceOf(childOf(holder.pid))).toBe(sliceOf(process.pid))
  expect(sliceOf(Number(fields[0]))).toBe(sliceOf(process.pid))
  await daemon.do('signal', ['usual', 9, 'group'])
  await daemon.event('gone', 'usual')
})

test('signals, limits, umask, folder and environment are those of the spec', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const code = `import os, resource
print(resource.getrlimit(resource.RLIMIT_NOFILE), oct(os.umask(0)), os.getcwd(), os.environ['X'])`
  // Python itself ignores and catches some.
  const status = await output(holder, daemon, ['cat', '/proc/self/status'])
  for (const set of ['SigBlk', 'SigIgn', 'SigCgt'])
    expect(status).toMatch(new RegExp(`^${set}:\\s+0{16}$`, 'm'))
  const text = await output(holder, daemon, python(code), {
    more: ['nofile=777:1999', 'umask=27'],
    env: { X: 'a=b\n' },
  })
  expect(text).toContain(`(777, 1999) 0o27 ${holder.dir} a=b\n`)
})

test('a limit that the spec does not name is the one that the holder was started with', async () => {
  const [soft, hard] = [900, 3000]
  const { holder, daemon } = await TestHolder.start({ wrapper: ['prlimit', `--nofile=${soft}:${hard}`] })
  await using _ = holder
  // The holder raises its own; the children must not see that.
  expect(await output(holder, daemon, ['sh', '-c', 'ulimit -Sn; ulimit -Hn'])).toBe(`${soft}\n${hard}\n`)
  expect(readFileSync(`/proc/${holder.pid}/limits`, 'utf8')).toMatch(/Max open files\s+3000\s+3000/)
  // More than it may give is what it may give.
  const text = await output(holder, daemon, ['sh', '-c', 'ulimit -Sn; ulimit -Hn'], {
    more: ['nofile=5000:6000'],
  })
  expect(text).toBe(`${soft}\n${hard}\n3000\n3000\n`)
})

test.each([
  ['a command that is not there', { args: ['no-such-command'] }, ['ENOENT', 'execve', 'no-such-command']],
  ['a file that may not be executed', { args: ['/etc/passwd'] }, ['EACCES', 'execve', '/etc/passwd']],
  ['a folder that is not there', { args: ['true'], more: ['cwd=/no/such'] }, ['ENOENT', 'chdir', '/no/such']],
  [
    'a log that cannot be opened',
    { args: ['true'], more: ['log=/no/such/log'] },
    ['ENOENT', 'open', '/no/such/log'],
  ],
  ['a log that is a folder', { args: ['true'], more: ['log=/tmp'] }, ['EISDIR', 'open', '/tmp']],
  ['a socket that is not there', { args: ['true'], slots: ['0 http none'] }, ['ENOENT', 'spawn', 'none']],
  ['a slot that is not there', { args: ['true'], slots: ['1 http a'] }, ['EINVAL', 'parse', 'no slot 1']],
] as const)('%s is refused in words, and leaves nothing', async (_name, options, [errno, call, words]) => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const spec = holder.spec('x#1', { slots: [], ...options, args: [...options.args] } as never)
  const { ok, fields } = await daemon.ask('spawn', [], [spec])
  expect(ok).toBe(false)
  expect(fields.slice(0, 2)).toEqual([errno, call])
  expect(fields[2]).toContain(words)
  expect(await daemon.list('generation')).toEqual([])
  expect(existsSync(join(holder.dir, 'n', '1'))).toBe(false)
})

test('exit codes and signals are reported, and listed until they are forgotten', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  for (const [id, script, code, number] of [
    ['x#1', 'exit 0', '0', ''],
    ['x#2', 'exit 217', '217', ''],
    ['x#3', 'kill -SEGV $$', '', '11'],
    ['x#4', 'kill -KILL $$', '', '9'],
  ] as const) {
    const { fields } = await daemon.do('spawn', [], [holder.spec(id, { args: ['sh', '-c', script] })])
    expect((await daemon.event('exited', id)).args).toEqual([id, code, number, '0'])
    await daemon.event('gone', id)
    const [item] = await daemon.list('generation')
    expect(item?.fields).toEqual([id, ...fields, 'gone', code, number, '0', '0', holder.invocation(id)])
    expect(await daemon.refusal('signal', [id, 9, 'all'])).toBe('ESRCH')
    await daemon.do('forget', [id])
    expect(await daemon.list('generation')).toEqual([])
  }
})

test('a spawn that is repeated starts nothing a second time', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const spec = holder.spec('x#1', { args: ['sleep', '1000'] })
  const first = await daemon.do('spawn', [], [spec])
  const second = await daemon.do('spawn', [], [spec])
  expect(second.fields).toEqual(first.fields)
  expect(second.descriptors).toHaveLength(1)
  expect(await daemon.refusal('forget', ['x#1'])).toBe('EBUSY')
})

test('a generation that stands by goes on when it is called, once it waits; another one ends with its holder', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const waits = `import os
fd = int(os.environ['DEVSOCK_STANDBY'])
if os.environ.get('LATE'): os.read(os.open('go', os.O_RDONLY), 1)
try: os.write(fd, b'w')
except BrokenPipeError: pass
print(fd, os.environ['LISTEN_FDS'], 'called' if os.read(fd, 1) else 'left', flush=True)`
  const spec = (id: string, env = {}) =>
    holder.spec(id, { args: python(waits), slots: ['0 http a'], env, more: ['standby='] })
  expect(await daemon.refusal('call', ['x#1'])).toBe('ENOENT')
  execFileSync('mkfifo', [join(holder.dir, 'go')])
  await daemon.do('spawn', [], [spec('x#1', { LATE: '1' })])
  expect(await daemon.refusal('call', ['x#1'])).toBe('EAGAIN')
  writeFileSync(join(holder.dir, 'go'), 'x')
  await eventually(async () => (await daemon.ask('call', ['x#1'])).ok)
  await daemon.event('gone', 'x#1')
  expect(holder.said()).toBe('4 1 called\n')
  // It was done.
  await daemon.do('call', ['x#1'])

  await daemon.do('spawn', [], [holder.spec('x#2', { args: ['sleep', '1000'] })])
  expect(await daemon.refusal('call', ['x#2'])).toBe('ESRCH')
  await daemon.do('spawn', [], [spec('x#3')])
  await holder.kill()
  await eventually(() => holder.said().endsWith('4 1 left\n'))
})

test('an armed spec starts on the first connection, once, also while no daemon is there', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const port = Number(fields[0])
  await daemon.do('arm', ['key'], [holder.spec('a#1', { args: answering('wrong'), slots: ['0 http a'] })])
  await daemon.do('arm', ['key'], [holder.spec('a#2', { args: answering('right'), slots: ['0 http a'] })])
  expect(await daemon.list('generation')).toEqual([])
  daemon[Symbol.dispose]()
  expect(await fetchFrom({ port })).toBe('right')
  expect(await fetchFrom({ port, host: '::1' })).toBe('right')
  const again = await holder.hello('daemon')
  const generations = await again.list('generation')
  expect(generations.map(({ fields }) => [fields[0], fields[3]])).toEqual([['a#2', 'running']])
  expect(await again.list('armed')).toEqual([])
})

test('arming a slot in which somebody waits starts at once, and says what woke it', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const answer = fetchFrom({ port: Number(fields[0]) })
  await daemon.do('watch', ['a', 0])
  await daemon.event('readable', 'a', '0')
  await daemon.do('arm', ['key'], [holder.spec('a#1', { args: answering('here'), slots: ['0 http a'] })])
  const { args, descriptors } = await daemon.event('spawned', 'key')
  expect(args).toEqual(['key', 'a#1', args[2], args[3], 'a'])
  expect(isAlive(Number(args[2]))).toBe(true)
  expect(descriptors).toHaveLength(1)
  expect(await answer).toBe('here')
  expect((await daemon.do('disarm', ['key'])).fields).toEqual(['none'])
})

test('an armed command that cannot be started says so and leaves the connection waiting', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  const port = Number(fields[0])
  await daemon.do('arm', ['key'], [holder.spec('a#1', { args: ['no-such-command'], slots: ['0 http a'] })])
  const answer = fetchFrom({ port })
  const { args } = await daemon.event('spawn-failed', 'key')
  expect(args).toEqual(['key', 'a#1', 'ENOENT', 'execve', 'no-such-command: No such file or directory', 'a'])
  await daemon.do('spawn', [], [holder.spec('a#2', { args: answering('late'), slots: ['0 http a'] })])
  expect(await answer).toBe('late')
})

test('a disarmed spec does not start', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 16, '600'])
  await daemon.do('arm', ['key'], [holder.spec('a#1', { args: ['true'], slots: ['0 http a'] })])
  expect((await daemon.do('disarm', ['key'])).fields).toEqual(['armed'])
  const client = await open(Number(fields[0]))
  await daemon.do('watch', ['a', 0])
  await daemon.event('readable', 'a', '0')
  expect(await daemon.list('generation')).toEqual([])
  client.destroy()
})

test('a leader that forks away is gone only when its children are; its number stays its own until then', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const spec = holder.spec('x#1', { args: ['sh', '-c', 'sleep 1000 & sleep 1000 & exit 3'] })
  const { fields } = await daemon.do('spawn', [], [spec])
  expect((await daemon.event('exited', 'x#1')).args).toEqual(['x#1', '3', '', '2'])
  // Not reaped: the zombie keeps pid and group.
  expect(readFileSync(`/proc/${fields[0]}/stat`, 'utf8')).toContain(') Z ')
  expect((await daemon.list('generation'))[0]?.fields.slice(3)).toEqual([
    'exited',
    '3',
    '',
    '0',
    '2',
    holder.invocation('x#1'),
  ])
  expect((await daemon.do('signal', ['x#1', 15, 'leader'])).fields).toEqual(['0'])
  expect((await daemon.do('signal', ['x#1', 15, 'group'])).fields).toEqual(['2'])
  await daemon.event('gone', 'x#1')
  expect(existsSync(`/proc/${fields[0]}`)).toBe(false)
})

test('a descendant that calls setsid is a stray: found, signalled, waited for', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const spec = holder.spec('x#1', { args: ['sh', '-c', 'setsid -f sleep 1000; exec sleep 1000'] })
  await daemon.do('spawn', [], [spec])
  const stray = Number(await eventually(async () => (await daemon.do('strays', ['x#1'])).fields[0]))
  // Another generation's strays are not this one's.
  await daemon.do('spawn', [], [holder.spec('y#1', { args: ['sleep', '1000'] })])
  expect((await daemon.do('strays', ['y#1'])).fields).toEqual([])
  expect((await daemon.do('signal', ['x#1', 15, 'group'])).fields).toEqual(['1'])
  expect((await daemon.event('exited', 'x#1')).args).toEqual(['x#1', '', '15', '1'])
  expect(isAlive(stray)).toBe(true)
  expect((await daemon.do('signal', ['x#1', 15, 'all'])).fields).toEqual(['1'])
  await daemon.event('gone', 'x#1')
  expect(isAlive(stray)).toBe(false)
})

test('orphans are reaped: no zombie is left of a hundred of them', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const forks = 'i=0; while [ $i -lt 100 ]; do (sleep 0.0$i &) ; i=$((i+1)); done; exec sleep 1000'
  await daemon.do('spawn', [], [holder.spec('x#1', { args: ['sh', '-c', forks] })])
  await daemon.do('spawn', [], [holder.spec('y#1', { args: ['sh', '-c', 'sleep 1000 & exit 0'] })])
  await daemon.event('exited', 'y#1')
  const children = () =>
    readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim().split(' ')
  // The stand-in of the daemon, x#1, y#1's pinned leader and its child.
  await eventually(() => readFileSync(`/proc/${holder.pid}/stat`, 'utf8') && children().length === 4, {
    dump: async () => execFileSync('ps', ['-o', 'pid,stat,args', '--ppid', String(holder.pid)]).toString(),
  })
})

test('READY=1 is heard from the leader, from a child, and from one that has gone; from nobody else', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const notify = (text: string) =>
    `import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET']); s.send(${JSON.stringify(text)}.encode())`
  await daemon.do(
    'spawn',
    [],
    [holder.spec('x#1', { args: python(`${notify('STATUS=a\nREADY=1')}\nimport time; time.sleep(1000)`) })],
  )
  await daemon.event('ready', 'x#1')
  expect((await daemon.event('notify', 'x#1')).args).toEqual(['x#1', 'STATUS=a\nREADY=1'])
  expect((await daemon.list('generation'))[0]?.fields[6]).toBe('1')

  writeFileSync(join(holder.dir, 'child.py'), notify('READY=1'))
  await daemon.do('spawn', [], [holder.spec('x#2', { args: ['sh', '-c', 'python3 child.py; sleep 1000'] })])
  await daemon.event('ready', 'x#2')

  // This test is no part of the generation, and lives.
  await daemon.do('spawn', [], [holder.spec('x#3', { args: ['sleep', '1000'] })])
  const path = join(holder.dir, 'n')
  sendDatagram(`${path}/3`, Buffer.from('READY=1'))
  sendDatagram(`${path}/1`, Buffer.from('STATUS=b'))
  await daemon.do('list')
  await daemon.do('list')
  expect(
    daemon.events.filter(({ what }) => what === 'ready' || what === 'notify').map(({ args }) => args),
  ).toEqual([['x#2', 'READY=1']])
})

test('a flood of notifications costs the daemon nothing', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const flood = `import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET'])
for i in range(20000): s.send(b'STATUS=%d' % i)
s.send(b'READY=1')`
  await daemon.do('spawn', [], [holder.spec('x#1', { args: python(flood) })])
  await daemon.event('ready', 'x#1')
  await daemon.event('gone', 'x#1')
  expect(daemon.closed).toBe(false)
})

test('a notification may carry descriptors, be too long, or be no text: none of it is kept', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const odd = `import os, socket, array
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET'])
read, write = os.pipe()
s.sendmsg([b'BARRIER=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [write]))])
os.close(write)
os.read(read, 1)  # ends when the holder has closed its copy
s.send(b'x' * 5000); s.send(b'\\xff\\xfe'); s.send(b'a\\0b'); s.send(b'READY=1')`
  const before = openFiles(holder)
  await daemon.do('spawn', [], [holder.spec('x#1', { args: python(odd) })])
  await daemon.event('ready', 'x#1')
  await daemon.event('gone', 'x#1')
  const heard = daemon.events.filter(({ what }) => what === 'notify').map(({ args }) => args[1])
  expect(heard).toEqual(['BARRIER=1', 'READY=1'])
  await daemon.do('forget', ['x#1'])
  expect(openFiles(holder)).toBe(before)
})

function openFiles(holder: TestHolder): number {
  return execFileSync('ls', [`/proc/${holder.pid}/fd`])
    .toString()
    .trim()
    .split('\n').length
}

test('a spec is read whatever is in it, and refused in words', async () => {
  const { holder, daemon } = await TestHolder.start()
  await using _ = holder
  const good = ['id=x', `invocation=${'0'.repeat(32)}`, 'cwd=/', 'log=/dev/null', 'arg=true']
  const bad: [string[], string][] = [
    [[], 'no id'],
    [good.filter((each) => !each.startsWith('arg')), 'no command'],
    [good.filter((each) => !each.startsWith('invocation')), 'no invocation'],
    [[...good, 'colour=red'], 'unknown tag colour'],
    [[...good, 'nofile=9:8'], 'nofile'],
    [[...good, 'nofile=-1:8'], 'nofile'],
    [[...good, 'umask=99'], 'umask'],
    [[...good, 'slot=0 http'], 'slot'],
    [[...good, 'slot=x http a'], 'slot'],
    [[...good, 'env=novalue'], 'env'],
    [[...good, 'cwd=relative'], 'cwd'],
    [[...good, 'nonsense'], 'without ='],
  ]
  for (const [fields, words] of bad) {
    const spec = memoryFile('spec', Buffer.from(fields.map((field) => `${field}\0`).join('')))
    const answer = await daemon.ask('spawn', [], [spec])
    expect(answer.fields.slice(0, 2), words).toEqual(['EINVAL', 'parse'])
    expect(answer.fields[2]).toContain(words)
    spec.close()
  }
  const cut = memoryFile('spec', Buffer.from(good.join('\0')))
  expect(await daemon.refusal('spawn', [], [cut])).toBe('EINVAL')
  cut.close()
})
