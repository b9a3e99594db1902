import { expect, test } from 'vitest'
import { type Proc, shellLimits } from '../../cli/shell.ts'

interface FakeProcess {
  parent: number
  session: number
  exe: string
  nofile?: string
}

/** A /proc of these processes; `self` is the command line itself. */
function procOf(processes: Record<string, FakeProcess>): Proc {
  const find = (path: string): FakeProcess | undefined => processes[path.split('/')[2] ?? '']
  return {
    read(path) {
      const found = find(path)
      if (!found) return null
      if (path.endsWith('/stat')) return `1 (a ) b) S ${found.parent} 1 ${found.session} 0 0`
      return found.nofile
        ? `Limit  Soft  Hard  Units\nMax open files            ${found.nofile}    files\n`
        : null
    },
    readLink: (path) => find(path)?.exe ?? null,
  }
}

test('the limits are those of the shell, not the ones that Node raised', () => {
  const proc = procOf({
    self: { parent: 50, session: 10, exe: '/usr/bin/node', nofile: '1048576   1048576' },
    10: { parent: 1, session: 10, exe: '/usr/bin/zsh', nofile: '1024   524288' },
  })
  expect(shellLimits(proc).nofile).toEqual([1024, 524288])
})

test('where the session leader is Node, the nearest parent that is none counts', () => {
  const proc = procOf({
    self: { parent: 50, session: 50, exe: '/usr/bin/node' },
    50: { parent: 40, session: 50, exe: '/opt/node/bin/node (deleted)', nofile: '9   9' },
    40: { parent: 1, session: 40, exe: '/bin/bash', nofile: '256   unlimited' },
  })
  expect(shellLimits(proc).nofile).toEqual([256, Number.MAX_SAFE_INTEGER])
})

test('a session leader outside of this container is not there', () => {
  const proc = procOf({
    self: { parent: 40, session: 0, exe: '/usr/bin/node' },
    40: { parent: 0, session: 0, exe: '/bin/sh', nofile: '77   88' },
  })
  expect(shellLimits(proc).nofile).toEqual([77, 88])
})

test('without /proc there are none, and the umask is still known', () => {
  const nothing = shellLimits({ read: () => null, readLink: () => null })
  expect(nothing).toEqual({ nofile: null, umask: process.umask() })
})
