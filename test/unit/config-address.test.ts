import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { overlap, parseAddress, printAddress, socketUrl } from '../../proxy/config/address.ts'
import type { Address } from '../../proxy/config/types.ts'

const CWD = '/home/ann/shop'

function parsed(written: number | string): Address {
  const result = parseAddress(written, CWD)
  if (!result.ok) throw new Error(result.message)
  return result.value
}

describe('every form of an address is understood', () => {
  test.each<[number | string, Address]>([
    [3000, { kind: 'loopback', port: 3000 }],
    ['3000', { kind: 'loopback', port: 3000 }],
    ['localhost:3000', { kind: 'loopback', port: 3000 }],
    ['127.0.0.1:3000', { kind: 'ip', host: '127.0.0.1', port: 3000 }],
    ['[::1]:3000', { kind: 'ip', host: '::1', port: 3000 }],
    ['[0:0:0:0::0001]:3000', { kind: 'ip', host: '::1', port: 3000 }],
    ['0.0.0.0:80', { kind: 'ip', host: '0.0.0.0', port: 80 }],
    ['*:65535', { kind: 'wildcard', port: 65535 }],
    ['auto', { kind: 'auto' }],
    ['unix:./app.sock', { kind: 'unix', path: `${CWD}/app.sock`, mode: 0o600 }],
    ['unix:/run/my app:1.sock', { kind: 'unix', path: '/run/my app:1.sock', mode: 0o600 }],
  ])('%j', (written, address) => {
    expect(parsed(written)).toEqual(address)
  })

  test('a Unix socket gets the permissions that were asked for', () => {
    expect(parseAddress('unix:/a', CWD, 0o660)).toEqual({
      ok: true,
      value: { kind: 'unix', path: '/a', mode: 0o660 },
    })
  })
})

describe('what is no address says why, and what to write', () => {
  test.each([
    [70000, 'port 70000 is out of range', 'a port is a number from 1 to 65535'],
    [-1, 'port -1 is out of range', 'a port is a number from 1 to 65535'],
    [30.5, 'port 30.5 is out of range', 'a port is a number from 1 to 65535'],
    ['*:65536', 'port 65536 is out of range', 'a port is a number from 1 to 65535'],
    [0, 'port 0 is no fixed port', 'write "auto" for a free one'],
    ['localhost', '"localhost" has no port', 'write "localhost:3000"'],
    ['localhost:', '"localhost:" has no port', 'write "localhost:3000"'],
    ['127.0.0.1', '"127.0.0.1" has no port', 'write "127.0.0.1:3000"'],
    ['::1', '::1 has no port', 'write "[::1]:3000", with brackets'],
    ['[::1]', '"[::1]" has no port', 'write "[::1]:3000"'],
    [
      'fe80::1:2:3:4:5:6:3000',
      'an IPv6 address needs brackets before its port',
      'write "[fe80::1:2:3:4:5:6]:3000"',
    ],
    ['localhost:http', '"http" is no port', 'a port is a number from 1 to 65535'],
    ['example.com:3000', '"example.com" is no address', 'a name is not looked up; '],
    ['[127.0.0.1]:3000', '"127.0.0.1" is no IPv6 address', 'write 3000'],
    ['[fe80::1%eth0]:3000', 'addresses with a zone (fe80::1%eth0) are not in this version', null],
    ['', 'the address is empty', 'write 3000'],
    ['unix:', '"unix:" has no path', 'write "unix:./app.sock"'],
    ['unix:/run/', '"/run/" names a folder', 'write the path of the socket itself'],
    ['unix:/a\0b', 'the path of a Unix socket cannot hold a NUL', null],
    ['udp:5353', 'udp: sockets are not in this version', 'use a TCP port or "unix:PATH"'],
    ['unix-dgram:/x', 'unix-dgram: sockets are not in this version', 'use a TCP port or "unix:PATH"'],
    ['seqpacket:/x', 'seqpacket: sockets are not in this version', 'use a TCP port or "unix:PATH"'],
  ])('%j', (written, message, hint) => {
    const result = parseAddress(written, CWD)
    if (result.ok) throw new Error(`it was taken for ${printAddress(result.value)}`)
    expect(result.message).toBe(message)
    if (hint === null) expect(result.hint).toBeNull()
    else expect(result.hint).toContain(hint)
  })

  test('a Unix path is refused from 107 bytes on, for a swap adds one: bytes, not letters', () => {
    const path = (bytes: number) => `/${'x'.repeat(bytes - 1)}`
    expect(parseAddress(`unix:${path(106)}`, CWD).ok).toBe(true)
    expect(parseAddress(`unix:${path(107)}`, CWD)).toMatchObject({
      ok: false,
      message: `the path of the Unix socket is 107 bytes long, 106 at most: ${path(107)}`,
    })
    expect(parseAddress(`unix:/${'ü'.repeat(60)}`, CWD)).toMatchObject({
      message: expect.stringContaining('is 121 bytes long'),
    })
    expect(parseAddress(`unix:${'x'.repeat(90)}`, '/home/ann/a/long/folder').ok).toBe(false)
  })
})

const port = fc.integer({ min: 1, max: 65535 })
const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => !text.includes('.')),
)
const address: fc.Arbitrary<Address> = fc.oneof(
  port.map((number) => parsed(number)),
  fc
    .tuple(host, port)
    .map(([name, number]) => parsed(name.includes(':') ? `[${name}]:${number}` : `${name}:${number}`)),
  port.map((number) => parsed(`*:${number}`)),
  fc.constant(parsed('auto')),
  fc.stringMatching(/^[A-Za-z0-9 .:~_-]{1,40}$/).map((name) => parsed(`unix:${name}x`)),
)

test('an address that is printed is read as the same address', () => {
  fc.assert(
    fc.property(address, (one) => {
      expect(parsed(printAddress(one))).toEqual(one)
    }),
  )
})

test('whatever is written, the answer is an address or a message', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.double(), fc.string({ unit: fc.constantFrom(...'[]:*.1a%unix') })),
      (written) => {
        const result = parseAddress(written, CWD)
        expect(result.ok ? printAddress(result.value) : result.message).not.toBe('')
      },
    ),
  )
})

test('addresses that the kernel would not bind together overlap, others do not', () => {
  const cases: [string, string, boolean][] = [
    ['3000', '3000', true],
    ['3000', '3001', false],
    ['3000', '127.0.0.1:3000', true],
    ['3000', '*:3000', true],
    ['127.0.0.1:3000', '[::1]:3000', false],
    ['127.0.0.1:3000', '127.0.0.2:3000', false],
    ['0.0.0.0:3000', '127.0.0.2:3000', true],
    ['0.0.0.0:3000', '[::1]:3000', false],
    ['[::]:3000', '[::1]:3000', true],
    ['auto', 'auto', false],
    ['unix:./a', 'unix:a', true],
    ['unix:./a', '3000', false],
  ]
  for (const [a, b, expected] of cases) {
    expect([a, b, overlap(parsed(a), parsed(b))]).toEqual([a, b, expected])
    expect([b, a, overlap(parsed(b), parsed(a))]).toEqual([b, a, expected])
  }
})

test('a URL says how a client of this machine gets there', () => {
  const url = (written: string, protocol: 'http' | 'https' | 'tcp') =>
    socketUrl({ address: parsed(written), protocol }, 3000)
  expect(url('3000', 'http')).toBe('http://localhost:3000/')
  expect(url('auto', 'https')).toBe('https://localhost:3000/')
  expect(url('*:3000', 'tcp')).toBe('tcp://localhost:3000')
  expect(url('0.0.0.0:3000', 'http')).toBe('http://localhost:3000/')
  expect(url('[::1]:3000', 'http')).toBe('http://[::1]:3000/')
  expect(url('unix:/a', 'http')).toBeNull()
  expect(socketUrl({ address: { kind: 'auto' }, protocol: 'http' }, null)).toBeNull()
})
