import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decode, decodeOrder, encodeRequest, MAX_MESSAGE, signalName } from '../../proxy/holder/codec.ts'
import { HolderError } from '../../proxy/holder/error.ts'
import { encodeSpec, type GenerationSpec } from '../../proxy/holder/spec.ts'

const field = fc.string({ unit: 'binary' }).map((text) => Buffer.from(text.replaceAll('\0', '')).toString())
const seq = fc.nat()

test('what is encoded is read back field by field', () => {
  fc.assert(
    fc.property(seq, field, fc.array(field, { maxLength: 20 }), (number, verb, args) => {
      expect(encodeRequest(number, verb, args).toString().split('\0')).toEqual([
        String(number),
        verb,
        ...args,
      ])
    }),
  )
})

test('answers, items and errors are read as they were sent', () => {
  fc.assert(
    fc.property(seq, fc.array(field), (number, fields) => {
      for (const kind of ['ok', 'item'] as const) {
        const message = Buffer.from([String(number), kind, ...fields].join('\0'))
        expect(decode(message)).toEqual({ kind, seq: number, fields })
      }
    }),
  )
  const error = decode(Buffer.from('7\0error\0EADDRINUSE\0bind\0somebody has it'))
  expect(error).toMatchObject({ kind: 'error', seq: 7, error: { code: 'EADDRINUSE', syscall: 'bind' } })
})

test('no bytes make the decoder throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decode(bytes)))
  const words = fc.constantFrom(
    '!',
    '0',
    '1',
    'ok',
    'item',
    'error',
    'spawned',
    'exited',
    'order',
    'readable',
    '',
    '-1',
  )
  fc.assert(
    fc.property(
      fc.array(fc.oneof(words, field), { maxLength: 9 }),
      (fields) => void decode(Buffer.from(fields.join('\0'))),
    ),
  )
})

test('a field with a NUL in it is refused, for it would be two', () => {
  fc.assert(
    fc.property(field, field, (before, after) => {
      expect(() => encodeRequest(1, 'bind', [`${before}\0${after}`])).toThrow(HolderError)
    }),
  )
})

test('a message that the holder would not read is refused', () => {
  expect(encodeRequest(1, 'a', ['x'.repeat(MAX_MESSAGE - 4)])).toHaveLength(MAX_MESSAGE)
  expect(() => encodeRequest(1, 'a', ['x'.repeat(MAX_MESSAGE - 3)])).toThrow(
    expect.objectContaining({ code: 'EMSGSIZE' }),
  )
})

test.each([
  [
    'spawned\0shop/api\0shop/api#3\x0042\x00777\0shop/api/http',
    { type: 'spawned', key: 'shop/api', id: 'shop/api#3', pid: 42, startTime: 777, socket: 'shop/api/http' },
  ],
  ['ready\0a#1', { type: 'ready', id: 'a#1' }],
  ['notify\0a#1\0STATUS=a\nREADY=1', { type: 'notify', id: 'a#1', payload: 'STATUS=a\nREADY=1' }],
  ['exited\0a#1\x003\0\x000', { type: 'exited', id: 'a#1', code: 3, signal: null, left: 0 }],
  ['exited\0a#1\0\x009\x002', { type: 'exited', id: 'a#1', code: null, signal: 'SIGKILL', left: 2 }],
  ['exited\0a#1\0\0\x000', { type: 'exited', id: 'a#1', code: null, signal: null, left: 0 }],
  ['gone\0a#1', { type: 'gone', id: 'a#1' }],
  ['readable\0a/http\x001', { type: 'readable', socket: 'a/http', index: 1 }],
  ['order\0a/http\x000,2,1', { type: 'order', socket: 'a/http', order: [0, 2, 1] }],
])('the event %j is understood', (text, event) => {
  expect(decode(Buffer.from(`!\0${text}`))).toEqual({ kind: 'event', event })
})

test('an event that is not of this protocol is unknown, not half understood', () => {
  for (const text of ['spawned\0key\0id\0x\x001\0name', 'readable\0a\0-1', 'order\0a\x000,,1', 'else', '']) {
    expect(decode(Buffer.from(`!\0${text}`)).kind).toBe('unknown')
  }
})

test('signals are named, real-time ones by number', () => {
  expect(signalName('15')).toBe('SIGTERM')
  expect(signalName('34')).toBe('SIG34')
  expect(signalName('')).toBeNull()
  expect(decodeOrder('')).toEqual([])
})

const spec: GenerationSpec = {
  id: 'shop/api#3',
  invocation: '0123456789abcdef0123456789abcdef',
  cwd: '/srv/a b',
  log: '/var/log/3.log',
  nofile: [1024, 4096],
  umask: 0o22,
  argv: ['node', 'server.js', ''],
  env: { PATH: '/bin', ODD: 'a=b\nc', EMPTY: '' },
  slots: [{ name: 'shop/api/http', index: 2, fdName: 'http' }],
}

test('a spec is written as the holder reads it, with its invocation in the environment', () => {
  expect(encodeSpec(spec).toString().split('\0')).toEqual([
    'id=shop/api#3',
    'invocation=0123456789abcdef0123456789abcdef',
    'cwd=/srv/a b',
    'log=/var/log/3.log',
    'umask=22',
    'nofile=1024:4096',
    'arg=node',
    'arg=server.js',
    'arg=',
    'env=PATH=/bin',
    'env=ODD=a=b\nc',
    'env=EMPTY=',
    'env=DEVSOCK_INVOCATION=0123456789abcdef0123456789abcdef',
    'slot=2 http shop/api/http',
    '',
  ])
})

test.each<[string, Partial<GenerationSpec>]>([
  ['id', { id: '' }],
  ['invocation', { invocation: 'short' }],
  ['cwd', { cwd: 'relative' }],
  ['log', { log: 'relative' }],
  ['arg', { argv: [] }],
  ['arg', { argv: ['node', 'a\0b'] }],
  ['env', { env: { 'A=B': 'c' } }],
  ['env', { env: { A: 'b\0c' } }],
  ['nofile', { nofile: [2, 1] }],
  ['umask', { umask: 0o1000 }],
  ['slot', { slots: [{ name: 'a', index: 0, fdName: 'a:b' }] }],
  ['slot', { slots: [{ name: 'a', index: 0, fdName: 'a b' }] }],
  ['slot', { slots: [{ name: 'a', index: -1, fdName: 'a' }] }],
])('a spec with a bad %s is refused, and the message names it', (tag, change) => {
  expect(() => encodeSpec({ ...spec, ...change })).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(tag) }),
  )
})
