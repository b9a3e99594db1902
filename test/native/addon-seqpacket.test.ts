import { fstatSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import {
  connectSeqpacket,
  type Descriptor,
  memoryFile,
  type Seqpacket,
  seqpacketPair,
} from '../../native/index.ts'
import { locate } from '../../native/locate.ts'
import { eventually } from '../rig/eventually.ts'

interface Heard {
  messages: string[]
  descriptors: Descriptor[]
  closed: (Error | null)[]
}

function hear(seqpacket: Seqpacket): Heard {
  const heard: Heard = { messages: [], descriptors: [], closed: [] }
  seqpacket.start(
    (data, descriptors) => {
      heard.messages.push(data.toString())
      heard.descriptors.push(...descriptors)
    },
    (error) => heard.closed.push(error),
  )
  return heard
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

test('messages arrive whole, in order, with their descriptors', async () => {
  const [left, right] = seqpacketPair()
  const heard = hear(right)
  using file = memoryFile('one', Buffer.from('file one'))
  left.send(Buffer.from('first'))
  left.send(Buffer.from('second'), [file, file])
  left.send(Buffer.from('third'))
  await eventually(() => heard.messages.length === 3)
  expect(heard.messages).toEqual(['first', 'second', 'third'])
  expect(heard.descriptors).toHaveLength(2)
  const buffer = Buffer.alloc(16)
  const [received, again] = heard.descriptors
  expect(buffer.toString('utf8', 0, readSync(received?.fd ?? -1, buffer))).toBe('file one')
  received?.close()
  again?.close()
  left.close()
  await eventually(() => heard.closed.length === 1)
  expect(heard.closed).toEqual([null])
  right.close()
})

test('what does not fit the kernel waits and goes out in order, with descriptors that were closed meanwhile', async () => {
  const [left, right] = seqpacketPair()
  const count = 3_000
  for (let i = 0; i < count; i++) {
    using file = memoryFile('many', Buffer.from(String(i)))
    left.send(Buffer.from(`${i} ${'x'.repeat(200)}`), i % 10 === 0 ? [file] : [])
  }
  const heard = hear(right)
  await eventually(() => heard.messages.length === count)
  expect(heard.messages.map((message) => Number.parseInt(message, 10))).toEqual(
    Array.from({ length: count }, (_, i) => i),
  )
  expect(heard.descriptors).toHaveLength(count / 10)
  const buffer = Buffer.alloc(8)
  const last = heard.descriptors.at(-1)
  expect(buffer.toString('utf8', 0, readSync(last?.fd ?? -1, buffer))).toBe(String(count - 10))
  for (const descriptor of heard.descriptors) descriptor.close()
  left.close()
  right.close()
})

test('the last words of an end that has closed are heard before its end', async () => {
  const [left, right] = seqpacketPair()
  // Unread by the one that closes: the other then has ECONNRESET, and still the messages.
  right.send(Buffer.from('never read'))
  left.send(Buffer.from('last words'))
  left.close()
  const heard = hear(right)
  await eventually(() => heard.closed.length === 1)
  expect(heard.messages).toEqual(['last words'])
  expect(heard.closed[0]).toMatchObject({ code: 'ECONNRESET' })
  // What it says to one that has gone harms nobody, and what it says after its own end is refused.
  expect(() => right.send(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('it may be closed from within its own callbacks, and then says nothing more', async () => {
  const [left, right] = seqpacketPair()
  for (const text of ['one', 'two', 'three']) left.send(Buffer.from(text))
  const heard: string[] = []
  let closed = 0
  right.start(
    (data) => {
      heard.push(data.toString())
      right.close()
      right.close()
    },
    () => {
      closed += 1
    },
  )
  await eventually(() => heard.length === 1)
  // The other end sees it, so the loop has been round.
  const other = hear(left)
  await eventually(() => other.closed.length === 1)
  expect(heard).toEqual(['one'])
  expect(closed).toBe(0)
})

test('a message that can never be sent is refused at once', () => {
  const [left, right] = seqpacketPair()
  expect(() => left.send(new Uint8Array(8 << 20))).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }))
  using file = memoryFile('x', Buffer.from('x'))
  file.close()
  expect(() => left.send(Buffer.from('x'), [file])).toThrow(expect.objectContaining({ code: 'EBADF' }))
  left.close()
  right.close()
})

test('the peer is known, and a missing one is named', () => {
  const [left, right] = seqpacketPair()
  expect(left.peer).toEqual({ pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() })
  left.close()
  right.close()
  expect(() => connectSeqpacket('/nowhere/at.all')).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'connect', address: '/nowhere/at.all' }),
  )
  expect(() => connectSeqpacket(join('/', 'x'.repeat(120)))).toThrow(
    expect.objectContaining({ code: 'ENAMETOOLONG' }),
  )
})

test('two thousand rounds leave no descriptor behind', async () => {
  const rounds = 2_000
  let before = 0
  for (let i = 0; i < rounds; i++) {
    // The first ones may open what the runtime keeps.
    if (i === 100) before = openDescriptors()
    const [left, right] = seqpacketPair()
    const done = new Promise<void>((resolve) => {
      right.start(
        (_, descriptors) => {
          for (const descriptor of descriptors) descriptor.close()
        },
        () => resolve(),
      )
    })
    using file = memoryFile('round', Buffer.from('x'))
    left.send(Buffer.from('x'), [file, file])
    left.close()
    await done
    right.close()
  }
  expect(openDescriptors()).toBe(before)
})

test('what nobody closed is closed with its object', async () => {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const before = openDescriptors()
  let numbers = [1, 2, 3].map(() => memoryFile('lost', Buffer.from('x')).fd)
  expect(numbers.every((fd) => fstatSync(fd).isFile())).toBe(true)
  numbers = []
  seqpacketPair()
  await eventually(() => {
    collect()
    return openDescriptors() <= before
  })
})

test.each(['ends by itself', 'is terminated'])(
  'a worker that %s with open sockets and waits harms nobody',
  async (how) => {
    const before = openDescriptors()
    for (let round = 0; round < 5; round++) {
      // Plain JavaScript on the addon itself: a worker thread runs no TypeScript here.
      const worker = new Worker(
        `
      const { parentPort, workerData } = require('node:worker_threads')
      const addon = require(workerData)
      const [left, right] = addon.seqpacketPair()
      let count = 0
      right.start((data, descriptors) => { if (++count === 100) parentPort.postMessage('busy') ; left.send(data, descriptors) }, () => {})
      left.start(() => {}, () => {})
      const [idle] = addon.seqpacketPair()
      for (let i = 0; i < 5000; i++) idle.send(Buffer.alloc(1000))
      const self = addon.pidfdOpen(process.pid)
      addon.onReadable(self, () => {})
      const file = addon.memoryFile('x', Buffer.from('x'))
      for (let i = 0; i < 20; i++) left.send(Buffer.from('x'), [file])
      const again = () => { left.send(Buffer.from('y'), [file]); setImmediate(again) }
      again()
      if (${how === 'ends by itself'}) parentPort.once('message', () => process.exit(0))
      `,
        { eval: true, workerData: locate('devsock.node') },
      )
      const exited = new Promise<number>((resolve, reject) =>
        worker.once('exit', resolve).once('error', reject),
      )
      await new Promise((resolve) => worker.once('message', resolve))
      if (how === 'is terminated') await worker.terminate()
      else worker.postMessage('end')
      expect(await exited).toBe(how === 'is terminated' ? 1 : 0)
    }
    await eventually(() => openDescriptors() <= before)
  },
)
