import type { Descriptor } from '../../native/index.ts'
import { decimal, decodeOrder, signalName } from './codec.ts'
import { HolderError } from './error.ts'
import { decodeSlot, type GenerationSlot } from './spec.ts'

/** A socket that the holder has. */
export interface HeldSocket {
  name: string
  /** As it was asked for: `loopback:3000`; its port may be 0. */
  address: string
  /** null for a unix socket. */
  port: number | null
  steered: number
  /** The kernel's order of the slots, by their numbers. */
  order: number[]
  backlog: number
  /** Of a unix path. */
  mode: number
  /** By number. */
  slots: Descriptor[]
}

export interface HeldGeneration {
  id: string
  pid: number
  /** Field 22 of /proc/PID/stat, in clock ticks since boot. */
  startTime: number
  /** `exited`: the leader has gone and others of it have not. */
  phase: 'running' | 'exited' | 'gone'
  code: number | null
  signal: string | null
  ready: boolean
  /** Processes that go on after the leader. */
  left: number
  invocation: string
  /** What its programs may claim, in the order of its descriptors. */
  slots: GenerationSlot[]
  notify: Descriptor | null
  /** Where its bind() calls are reported, if the holder answers them. */
  binds: Descriptor | null
}

export interface HolderList {
  sockets: HeldSocket[]
  generations: HeldGeneration[]
  /** Keys. */
  armed: string[]
}

/** Of the fields `NAME ADDRESS PORT STEERED ORDER BACKLOG MODE`; the slots become the result's. Throws EPROTO. */
export function heldSocket(fields: string[], slots: Descriptor[]): HeldSocket {
  const [name = '', address = '', port = '', steered = '', order = '', backlog = '', mode = ''] = fields
  const numbers = {
    port: decimal(port),
    steered: decimal(steered),
    order: decodeOrder(order),
    backlog: decimal(backlog),
  }
  if (
    numbers.port === null ||
    numbers.steered === null ||
    numbers.order === null ||
    numbers.backlog === null
  ) {
    throw malformed('fetch', fields)
  }
  return {
    name,
    address,
    port: numbers.port || null,
    steered: numbers.steered,
    order: numbers.order,
    backlog: numbers.backlog,
    mode: Number.parseInt(mode, 8),
    slots,
  }
}

const isPhase = (text: string): text is HeldGeneration['phase'] =>
  ['running', 'exited', 'gone'].includes(text)

/** Of the fields `ID PID START PHASE CODE SIGNAL READY LEFT INVOCATION SLOT…`. Throws EPROTO. */
export function heldGeneration(fields: string[], descriptors: Descriptor[]): HeldGeneration {
  const [id = '', pid = '', startTime = '', phase = '', code = '', signal = '', ready = '', left = ''] =
    fields
  const numbers = { pid: decimal(pid), startTime: decimal(startTime), left: decimal(left) ?? 0 }
  if (numbers.pid === null || numbers.startTime === null || !isPhase(phase)) throw malformed('list', fields)
  return {
    id,
    pid: numbers.pid,
    startTime: numbers.startTime,
    phase,
    code: decimal(code),
    signal: signalName(signal),
    ready: ready === '1',
    left: numbers.left,
    invocation: fields[8] ?? '',
    slots: fields.slice(9).map(decodeSlot),
    notify: descriptors[0] ?? null,
    binds: descriptors[1] ?? null,
  }
}

/** The holder's version and ours do not understand each other. */
export const malformed = (verb: string, fields: string[]): HolderError =>
  new HolderError('EPROTO', 'parse', `the holder answered ${verb} with ${JSON.stringify(fields.join(' '))}`)
