/**
 * The holder's protocol between fields and bytes (ARCHITECTURE.md): pure, no descriptors. A message is UTF-8
 * fields with NUL between them, at most 64 KiB.
 */
import { constants } from 'node:os'
import { HolderError } from './error.ts'
import type { HolderEvent } from './event.ts'

export const MAX_MESSAGE = 64 * 1024

/** What a holder sends. `item` comes before the `ok` of a `list`, under the same seq. */
export type Incoming =
  | { kind: 'ok'; seq: number; fields: string[] }
  | { kind: 'item'; seq: number; fields: string[] }
  | { kind: 'error'; seq: number; error: HolderError }
  | { kind: 'event'; event: HolderEvent }
  /** Not of this protocol: `what` says how. */
  | { kind: 'unknown'; what: string }

/** Throws HolderError EINVAL for a field with a NUL, which would be two, and EMSGSIZE for a message too long. */
export function encodeRequest(seq: number, verb: string, args: readonly string[]): Buffer {
  const message = Buffer.from(joinFields([String(seq), verb, ...args]))
  if (message.length > MAX_MESSAGE) {
    throw new HolderError('EMSGSIZE', 'encode', `${verb}: ${message.length} bytes, ${MAX_MESSAGE} fit`)
  }
  return message
}

export function joinFields(fields: readonly string[]): string {
  const cut = fields.find((field) => field.includes('\0'))
  if (cut === undefined) return fields.join('\0')
  throw new HolderError(
    'EINVAL',
    'encode',
    `${JSON.stringify(cut)} has a NUL in it, which no system call takes`,
  )
}

/** Takes any bytes; never throws. */
export function decode(message: Uint8Array): Incoming {
  const fields = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString().split('\0')
  const [first = '', kind = '', ...rest] = fields
  if (first === '!') {
    const event = decodeEvent(kind, rest)
    return event ? { kind: 'event', event } : unknown(fields)
  }
  const seq = decimal(first)
  if (seq === null) return unknown(fields)
  if (kind === 'ok' || kind === 'item') return { kind, seq, fields: rest }
  if (kind !== 'error') return unknown(fields)
  const [code = '', syscall = '', text = ''] = rest
  return { kind, seq, error: new HolderError(code, syscall, text) }
}

function decodeEvent(what: string, fields: string[]): HolderEvent | null {
  const [a = '', b = '', c = '', d = '', e = '', f = ''] = fields
  switch (what) {
    case 'spawned': {
      const [pid, startTime] = [decimal(c), decimal(d)]
      if (pid === null || startTime === null) return null
      return { type: 'spawned', key: a, id: b, pid, startTime, socket: e }
    }
    case 'spawn-failed':
      return { type: 'spawn-failed', key: a, id: b, error: new HolderError(c, d, e), socket: f }
    case 'ready':
      return { type: 'ready', id: a }
    case 'notify':
      return { type: 'notify', id: a, payload: b }
    case 'exited':
      return { type: 'exited', id: a, code: decimal(b), signal: signalName(c), left: decimal(d) ?? 0 }
    case 'gone':
      return { type: 'gone', id: a }
    case 'readable': {
      const index = decimal(b)
      return index === null ? null : { type: 'readable', socket: a, index }
    }
    case 'tripped': {
      const lane = decimal(b)
      return lane === null ? null : { type: 'tripped', id: a, lane }
    }
    case 'parked':
      return { type: 'parked', socket: a }
    case 'order': {
      const order = decodeOrder(b)
      return order && { type: 'order', socket: a, order }
    }
    default:
      return null
  }
}

/** A whole number as the holder writes it; null for anything else, the empty field too. */
export function decimal(text: string): number | null {
  if (!/^\d{1,16}$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

/** `0,2,1`: slot numbers in the kernel's order; a listener that was shut down may leave none. */
export function decodeOrder(text: string): number[] | null {
  if (text === '') return []
  const order = text.split(',').map(decimal)
  return order.every((index) => index !== null) ? order : null
}

/** `SIGTERM` for `15`; null for the empty field. A real-time signal has no name of its own. */
export function signalName(text: string): string | null {
  const number = decimal(text)
  if (number === null || number === 0) return null
  const named = Object.entries(constants.signals).find(([, value]) => value === number)
  return named?.[0] ?? `SIG${number}`
}

const unknown = (fields: string[]): Incoming => ({
  kind: 'unknown',
  what: JSON.stringify(fields.join(' ').slice(0, 200)),
})
