import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  accept,
  connections,
  type Descriptor,
  duplicate,
  limits,
  memoryFile,
  onReadable,
  pidfdExited,
  pidfdOpen,
  pidfdSignal,
  probe,
  punchHole,
  queueDepth,
  seqpacketPair,
  setCloseOnExec,
  setNonblocking,
  socketInfo,
  socketOwners,
} from '../../native/index.ts'
import { eventually } from '../rig/eventually.ts'

let folder = ''
const opened: Disposable[] = []
const servers: net.Server[] = []
/** Field 5 of /proc/PID/stat. */
const groupOf = (pid: number) =>
  Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[2])

const keep = <T extends Disposable>(resource: T): T => {
  opened.push(resource)
  return resource
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devsock-addon-'))
})

afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) resource[Symbol.dispose]()
  for (const server of servers.splice(0)) server.close()
  await rm(folder, { recursive: true })
})

const descriptorFlags = (fd: number): number => {
  const line = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))
  return Number.parseInt(line?.[1] ?? '', 8)
}
const CLOEXEC = 0o2000000
const NONBLOCK = 0o4000

/**
 * A listener that nobody accepts from. Of a unix socket libuv still does, in the next turn of the loop (closing
 * the server would remove the path): look at its queue before any await.
 */
async function listener(address: { port: number; host: string } | { path: string }): Promise<Descriptor> {
  const server = net.createServer()
  server.listen(address)
  await once(server, 'listening')
  // The handle's number is the one thing that net does not document.
  const handle: unknown = Reflect.get(server, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  if (typeof fd !== 'number') throw new Error('net.Server has no _handle.fd any more')
  const descriptor = keep(duplicate(fd))
  if ('path' in address) servers.push(server)
  else server.close()
  return descriptor
}
describe('a descriptor', () => {
  test('is close-on-exec, is never stdio, and closes once', () => {
    const original = openSync('/dev/null', 'r')
    const copy = duplicate(original)
    closeSync(original)
    expect(copy.fd).toBeGreaterThan(2)
    expect(descriptorFlags(copy.fd) & CLOEXEC).toBe(CLOEXEC)
    const { fd } = copy
    copy.close()
    expect(copy.fd).toBe(-1)
    // The number is somebody else's now, and a second close must leave it alone.
    const next = openSync('/dev/null', 'r')
    expect(next).toBeLessThanOrEqual(fd)
    copy.close()
    copy[Symbol.dispose]()
    expect(fstatSync(next).isCharacterDevice()).toBe(true)
    closeSync(next)
  })

  test('gives its number away and no longer closes it', () => {
    const descriptor = memoryFile('given', Buffer.from('x'))
    const fd = descriptor.release()
    descriptor.close()
    expect(fstatSync(fd).size).toBe(1)
    closeSync(fd)
  })

  test('that is closed is EBADF, with the call that was asked of it', () => {
    const descriptor = memoryFile('closed', Buffer.from('x'))
    descriptor.close()
    expect(() => socketInfo(descriptor)).toThrow(
      expect.objectContaining({ code: 'EBADF', errno: -9, syscall: 'getsockname' }),
    )
    expect(() => descriptor.duplicate()).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  test('is not confused with another object of the addon', () => {
    const [left, right] = seqpacketPair()
    keep(left)
    keep(right)
    // @ts-expect-error: what a JavaScript caller may do
    expect(() => queueDepth(left)).toThrow(TypeError)
    // @ts-expect-error
    expect(() => accept({})).toThrow(TypeError)
    // @ts-expect-error
    expect(() => pidfdOpen('1')).toThrow()
    expect(() => duplicate(-1)).toThrow(RangeError)
    expect(() => duplicate(1e6)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'fcntl' }))
  })

  test('can be handed to a child', () => {
    const file = keep(memoryFile('child', Buffer.from('x')))
    setCloseOnExec(file.fd, false)
    expect(descriptorFlags(file.fd) & CLOEXEC).toBe(0)
    setCloseOnExec(file.fd, true)
    expect(descriptorFlags(file.fd) & CLOEXEC).toBe(CLOEXEC)
  })
})

describe('a memory file', () => {
  test('is read from its start and cannot be changed', () => {
    const file = keep(memoryFile('spec', Buffer.from('content')))
    const buffer = Buffer.alloc(16)
    expect(buffer.toString('utf8', 0, readSync(file.fd, buffer))).toBe('content')
    expect(() => writeSync(file.fd, 'more')).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  test('may be empty', () => {
    expect(fstatSync(keep(memoryFile('empty', new Uint8Array())).fd).size).toBe(0)
  })
})

describe('a socket tells', () => {
  test.each(['127.0.0.1', '::1'])('its address, family and queue on %s', async (host) => {
    const socket = await listener({ host, port: 0 })
    const info = socketInfo(socket)
    const family = host === '::1' ? 'inet6' : 'inet'
    expect(info).toEqual({ family, type: 'stream', listening: true, address: host, port: info.port })
    expect(socketInfo(socket.fd)).toEqual(info)
    expect(queueDepth(socket)).toBe(0)
    const port = info.port ?? 0
    const clients = [1, 2, 3].map(() => keep(probe({ host, port, slot: 0 })))
    await eventually(() => queueDepth(socket) === 3)
    expect(socketInfo(clients[0] ?? socket).listening).toBe(false)

    const taken = accept(socket)
    expect(taken).not.toBeNull()
    expect(descriptorFlags(taken ?? -1) & (CLOEXEC | NONBLOCK)).toBe(CLOEXEC | NONBLOCK)
    closeSync(taken ?? -1)
    expect(queueDepth(socket)).toBe(2)
  })

  test('its path and its queue as a unix socket', async () => {
    const path = join(folder, 'a.sock')
    const socket = await listener({ path })
    expect(socketInfo(socket)).toEqual({
      family: 'unix',
      type: 'stream',
      listening: true,
      address: path,
      port: null,
    })
    expect(queueDepth(socket)).toBe(0)
    keep(probe({ path }))
    keep(probe({ path }))
    expect(queueDepth(socket)).toBe(2)
  })

  test('that it is none', () => {
    const file = keep(memoryFile('file', Buffer.from('x')))
    expect(() => socketInfo(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }))
    expect(() => queueDepth(keep(probeTarget()))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })

  /** A socket that does not listen. */
  const probeTarget = (): Descriptor => keep(probe({ host: '127.0.0.1', port: 9, slot: 0 }))
})

test('accept does not wait, whether or not the listener would', async () => {
  const socket = await listener({ host: '127.0.0.1', port: 0 })
  setNonblocking(socket, false)
  expect(descriptorFlags(socket.fd) & NONBLOCK).toBe(0)
  expect(accept(socket)).toBeNull()
  setNonblocking(socket, true)
  expect(accept(socket)).toBeNull()
})

test('a probe carries the slot in its DSCP, and names the address that refused', async () => {
  const socket = await listener({ host: '127.0.0.1', port: 0 })
  const { port } = socketInfo(socket)
  expect(() => probe({ host: '127.0.0.1', port: port ?? 0, slot: 16 })).toThrow(RangeError)
  expect(() => probe({ host: '127.0.0.1', port: 0, slot: 0 })).toThrow(RangeError)
  expect(() => probe({ host: 'localhost', port: 80, slot: 0 })).toThrow(
    expect.objectContaining({ code: 'EINVAL', address: 'localhost:80' }),
  )
  const missing = join(folder, 'missing.sock')
  expect(() => probe({ path: missing })).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'connect', address: missing }),
  )
  const long = `/${'x'.repeat(108)}`
  expect(() => probe({ path: long })).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG' }))
})

describe('connections', () => {
  test('are those of the port asked for, listeners apart, each with its inode', async () => {
    const server = net.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const client = net.connect(port, '127.0.0.1')
    await once(client, 'connect')
    try {
      const listening = connections({ localPort: port, states: 'listening' })
      expect(listening).toEqual([
        expect.objectContaining({
          state: 'listen',
          localPort: port,
          localAddress: '127.0.0.1',
          remotePort: 0,
        }),
      ])
      expect(listening[0]?.lastSentMs).toBeNull()
      const connected = await eventually(() => {
        return connections({ localPort: port, states: 'connected' })[0]
      })
      expect(connected).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: client.localPort })
      expect(connected.lastReceivedMs).toEqual(expect.any(Number))
      const mine = connections({}).find((row) => row.localPort === client.localPort)
      expect(mine?.inode).toBeGreaterThan(0)
      expect(mine?.uid).toBe(process.getuid?.())
    } finally {
      client.destroy()
      server.close()
      await once(server, 'close')
    }
  })

  test('have an owner each: a process of the groups named, else the newest', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { _handle } = server as unknown as { _handle: { fd: number } }
    const inode = fstatSync(_handle.fd).ino
    const child = spawn('sleep', ['60'], {
      stdio: ['ignore', 'ignore', 'ignore', _handle.fd],
      detached: true,
    })
    await once(child, 'spawn')
    try {
      const other = { inode, pid: child.pid, group: child.pid }
      const owners = await eventually(() => {
        const found = socketOwners([inode, 1], [])
        return found[0]?.pid === child.pid ? found : null
      })
      expect(owners).toEqual([other])
      const [self] = socketOwners([inode], [groupOf(process.pid)])
      expect(self).toEqual({ inode, pid: process.pid, group: groupOf(process.pid) })
      expect(socketOwners([], [])).toEqual([])
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
      server.close()
    }
  })

  test('of both families come with one question', async () => {
    const server = net.createServer().listen(0, '::')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const clients = ['127.0.0.1', '::1'].map((host) => keep(probe({ host, port, slot: 0 })))
    const remotes = () =>
      connections({ states: 'connected' })
        .filter(({ remotePort }) => remotePort === port)
        .map(({ remoteAddress }) => remoteAddress)
    await eventually(() => remotes().length === clients.length)
    expect(remotes().sort()).toEqual(['127.0.0.1', '::1'])
    server.close()
  })

  test('of more sockets than fit one answer of the kernel are all there', async () => {
    const server = net.createServer()
    server.listen(0, '127.0.0.1', 1024)
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const clients = Array.from({ length: 400 }, () => keep(probe({ host: '127.0.0.1', port, slot: 0 })))
    await eventually(
      () =>
        connections({ states: 'connected' }).filter((row) => row.remotePort === port).length ===
        clients.length,
    )
    server.close()
  })
})

describe('a pidfd', () => {
  test('signals its process, and tells its end once', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    await once(child, 'spawn')
    const handle = keep(pidfdOpen(child.pid ?? 0))
    expect(pidfdExited(handle)).toBe(false)
    let calls = 0
    const ended = new Promise<void>((resolve) => {
      onReadable(handle, () => {
        calls += 1
        resolve()
      })
    })
    pidfdSignal(handle, 'SIGKILL')
    await Promise.all([ended, once(child, 'exit')])
    expect(pidfdExited(handle)).toBe(true)
    expect(calls).toBe(1)
    expect(() => pidfdSignal(handle, 'SIGTERM')).toThrow(expect.objectContaining({ code: 'ESRCH' }))
    expect(() => pidfdOpen(child.pid ?? 0)).toThrow(
      expect.objectContaining({ code: 'ESRCH', syscall: 'pidfd_open' }),
    )
  })

  test('is not told of when nobody waits any more', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    await once(child, 'spawn')
    const handle = keep(pidfdOpen(child.pid ?? 0))
    let told = false
    const watch = onReadable(handle, () => {
      told = true
    })
    watch.close()
    watch.close()
    const other = new Promise<void>((resolve) => {
      onReadable(handle, resolve)
    })
    child.kill('SIGKILL')
    await other
    expect(told).toBe(false)
  })
})

test('a listening socket is not given to the event loop', async () => {
  const socket = await listener({ host: '127.0.0.1', port: 0 })
  setNonblocking(socket, false)
  expect(() => onReadable(socket, () => undefined)).toThrow(/listening/)
  expect(descriptorFlags(socket.fd) & NONBLOCK).toBe(0)
})

test('a hole gives blocks back and keeps the size', () => {
  const path = join(folder, 'log')
  const fd = openSync(path, 'w+')
  writeSync(fd, Buffer.alloc(1 << 20, 1))
  const before = fstatSync(fd).blocks
  punchHole(fd, 0, 1 << 19)
  const after = fstatSync(fd)
  const first = Buffer.alloc(4)
  readSync(fd, first, 0, 4, 0)
  closeSync(fd)
  expect(after.size).toBe(1 << 20)
  expect(after.blocks).toBeLessThan(before)
  expect(first).toEqual(Buffer.alloc(4))
})

test('the limits are those of this process', () => {
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  expect(limits()).toEqual({ nofile: [Number(line?.[1]), Number(line?.[2])] })
})
