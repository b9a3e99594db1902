import { describe, expect, test } from 'vitest'
import type { Address } from '../../proxy/config/types.ts'
import { type Asker, refusalOf, type Suspect, systemdCommand } from '../../proxy/ports/guard.ts'
import { type Endable, end } from '../../proxy/ports/kill.ts'
import { dockerPublished } from '../../proxy/ports/listeners.ts'
import { covers, obstacles } from '../../proxy/ports/overlap.ts'
import { parseSockets } from '../../proxy/ports/proc-net.ts'
import { describeOwner } from '../../proxy/ports/process.ts'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'

test('the kernel’s tables are read: both families, only what has a port, states as they are', () => {
  const tcp = `${HEAD}   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:D431 01 00000000:00000000 02:000003E8 00000000  1000        0 4243 2 0000000000000000 20 4 30 10 -1
   2: 0100007F:0BB8 0100007F:D432 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000\n`
  expect(parseSockets('tcp', tcp)).toEqual([
    { protocol: 'tcp', address: '127.0.0.1', port: 3000, listening: true, uid: 1000, inode: 4242 },
    { protocol: 'tcp', address: '127.0.0.1', port: 3000, listening: false, uid: 1000, inode: 4243 },
  ])
  const tcp6 = `${HEAD}   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0
   1: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8 1 0\n`
  expect(parseSockets('tcp', tcp6).map(({ address }) => address)).toEqual(['::1', '::ffff:127.0.0.1'])
  const udp = `${HEAD}  10: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   102        0 99 2 0 0\n`
  expect(parseSockets('udp', udp)).toEqual([
    { protocol: 'udp', address: '0.0.0.0', port: 5353, listening: true, uid: 102, inode: 99 },
  ])
  expect(parseSockets('tcp', 'no table\n\n : x')).toEqual([])
})

describe('which listeners stand in the way of an address', () => {
  test.each<[held: string, wanted: string, taken: boolean]>([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['127.0.0.1', '::1', false],
    ['0.0.0.0', '127.0.0.1', true],
    ['0.0.0.0', '::1', false],
    ['::', '127.0.0.1', true],
    ['::', '::1', true],
    ['::1', '::', true],
    ['127.0.0.1', '0.0.0.0', true],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['FE80::1', 'fe80::1', true],
  ])('%s held, %s wanted: %s', (held, wanted, taken) => {
    expect(covers(held, wanted)).toBe(taken)
  })

  const at = (...addresses: string[]) => addresses.map((address) => ({ address }))
  const ip = (host: string): Address => ({ kind: 'ip', host, port: 3000 })

  test('a dual-stack socket of devsock’s runs into everybody on the port', () => {
    for (const kind of ['loopback', 'wildcard'] as const) {
      expect(obstacles({ kind, port: 3000 }, at('192.168.1.5', '127.0.0.1', '::1'))).toHaveLength(3)
    }
  })

  test('where 0.0.0.0 and :: both listen, :: is for IPv6 alone', () => {
    expect(obstacles(ip('127.0.0.1'), at('0.0.0.0', '::'))).toEqual(at('0.0.0.0'))
    expect(obstacles(ip('::1'), at('0.0.0.0', '::'))).toEqual(at('::'))
    expect(obstacles(ip('127.0.0.1'), at('::'))).toEqual(at('::'))
  })
})

const owner = (pid: number, command = 'node server.js') => ({
  pid,
  command,
  cwd: '/home/alice/shop',
  user: 'alice',
})

test('an owner is one phrase: program, pid, folder, user', () => {
  expect(describeOwner(owner(4242, '/usr/bin/node server.js'))).toBe(
    'node server.js (pid 4242, /home/alice/shop, alice)',
  )
  expect(describeOwner({ pid: 0, command: '', cwd: null, user: 'root' })).toBe(
    'a process of root that cannot be seen from here',
  )
  expect(describeOwner(owner(1, `node ${'x'.repeat(200)}`)).length).toBeLessThan(110)
})

describe('nobody is ended who must not be', () => {
  const asker: Asker = {
    uid: 1000,
    lineage: new Set([50, 40]),
    protectedPids: new Set([60]),
    cgroup: '0::/user.slice/session-1.scope\n',
  }
  const refusal = (suspect: Partial<Suspect>) =>
    refusalOf({ owner: owner(4242), uid: 1000, cgroup: '', ...suspect }, asker, 3000)

  test('one’s own server may be', () => {
    expect(refusal({})).toBeNull()
  })

  const id = '0123456789abcdef'.repeat(4)
  test.each<[what: string, suspect: Partial<Suspect>, hint: RegExp]>([
    ['init', { owner: owner(1), uid: 0 }, /systemctl/],
    ['a process that cannot be seen', { owner: owner(0), uid: -1 }, /sudo ss -ltnp/],
    ['devsock’s own', { owner: owner(60) }, /devsock stop/],
    ['what the command runs under', { owner: owner(40) }, /kill 40/],
    ['another user’s', { uid: 0 }, /sudo kill 4242/],
    [
      'a system service',
      { uid: 33, cgroup: '0::/system.slice/nginx.service\n' },
      /sudo systemctl stop nginx\.service/,
    ],
    [
      'docker’s proxy',
      { uid: 0, owner: owner(9, '/usr/bin/docker-proxy -proto tcp -host-port 3000') },
      /docker ps --filter publish=3000/,
    ],
    ['podman’s proxy', { owner: owner(9, 'rootlessport') }, /podman ps/],
    [
      'a container on the host’s network',
      { uid: 0, cgroup: `0::/system.slice/docker-${id}.scope\n` },
      /docker stop 0123456789ab$/,
    ],
  ])('%s', (_, suspect, hint) => {
    expect(refusal(suspect)?.hint).toMatch(hint)
    expect(refusal(suspect)?.message).toMatch(/port 3000 is/)
  })

  test('as root too, only root’s own processes', () => {
    const root = { ...asker, uid: 0 }
    expect(refusalOf({ owner: owner(4242), uid: 1000, cgroup: '' }, root, 3000)?.hint).toContain('sudo kill')
  })
})

describe('which systemd command stops a process’s service', () => {
  const own = '0::/user.slice/user-1000.slice/session-1.scope\n'
  test.each<[cgroup: string, command: string | null]>([
    ['0::/system.slice/postgresql@16-main.service\n', 'sudo systemctl stop postgresql@16-main.service'],
    [
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n',
      'systemctl --user stop web.service',
    ],
    [
      '0::/user.slice/user-1001.slice/user@1001.service/app.slice/web.service\n',
      'sudo systemctl --user -M 1001@ stop web.service',
    ],
    ['12:pids:/x\n1:name=systemd:/system.slice/nginx.service\n0::/\n', 'sudo systemctl stop nginx.service'],
    ['0::/user.slice/user-1000.slice/session-3.scope\n', null],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.kde.konsole@1f.service\n', null],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope\n', null],
    ['', null],
  ])('%s', (cgroup, command) => {
    expect(systemdCommand(cgroup, own, 1000)).toBe(command)
  })

  test('a unit that we run in ourselves is not what listens', () => {
    const sshd = '0::/system.slice/ssh.service\n'
    expect(systemdCommand(sshd, sshd, 1000)).toBeNull()
  })
})

test('docker’s proxy says which port it publishes, and only it', () => {
  expect(
    dockerPublished(
      '/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2',
    ),
  ).toBe('tcp:8080')
  expect(dockerPublished('vim docker-proxy -host-port 8080')).toBeNull()
})

describe('a process is asked, given time, then made to end', () => {
  /** Ends at the signal named, or never; without a clock. */
  function fake(endsAt: NodeJS.Signals | null): Endable & { got: NodeJS.Signals[]; waited: number[] } {
    const got: NodeJS.Signals[] = []
    const waited: number[] = []
    return {
      got,
      waited,
      signal: (signal) => got.push(signal),
      exited: async (ms) => {
        waited.push(ms)
        return endsAt !== null && got.includes(endsAt)
      },
    }
  }
  const options = { graceMs: 5_000, force: false }

  test('SIGTERM is enough', async () => {
    const process = fake('SIGTERM')
    expect(await end(process, options)).toBe('SIGTERM')
    expect([process.got, process.waited]).toEqual([['SIGTERM'], [5_000]])
  })

  test('SIGKILL after the grace', async () => {
    const process = fake('SIGKILL')
    expect(await end(process, options)).toBe('SIGKILL')
    expect(process.got).toEqual(['SIGTERM', 'SIGKILL'])
  })

  test('force gives no grace', async () => {
    const process = fake('SIGKILL')
    expect(await end(process, { ...options, force: true })).toBe('SIGKILL')
    expect(process.got).toEqual(['SIGKILL'])
  })

  test('an abort during the grace sends nothing more', async () => {
    const process = fake(null)
    const controller = new AbortController()
    process.exited = async () => {
      controller.abort()
      return false
    }
    expect(await end(process, { ...options, signal: controller.signal })).toBe('aborted')
    expect(process.got).toEqual(['SIGTERM'])
  })

  test('what even SIGKILL does not end is said to be stuck', async () => {
    expect(await end(fake(null), options)).toBe('stuck')
  })
})
