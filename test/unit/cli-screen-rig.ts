/** The screen on a terminal that remembers what it shows. */
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, onTestFinished } from 'vitest'
import { createPaint } from '../../cli/print/paint.ts'
import type { Action } from '../../cli/ui/keys.ts'
import type { Terminal } from '../../cli/ui/painter.ts'
import { ProjectStore } from '../../cli/ui/project-store.ts'
import { Stage } from '../../cli/ui/stage.tsx'
import type { LogLine, ServiceStatus } from '../../proxy/protocol.ts'
import { project } from './cli-fake-daemon.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: the shape of what the painter writes
const ROW = /\u001b\[(\d+);1H\u001b\[2K([\s\S]*?)(?=\u001b\[\d+;1H|\u001b\[\?2026l)/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours
const SGR = /\u001b\[[0-9;:]*m/g

/** As much of a terminal as the painter uses: each row at its place, all of them cleared. */
export class FakeTerminal extends EventEmitter {
  columns: number
  rows: number
  writableNeedDrain = false
  /** All that was written, as it came. */
  written = ''
  #shown: string[] = []

  constructor(columns = 80, rows = 24) {
    super()
    this.columns = columns
    this.rows = rows
  }

  write(data: string): boolean {
    this.written += data
    if (data.includes('\u001b[2J')) this.#shown = []
    for (const [, row, text] of data.matchAll(ROW)) this.#shown[Number(row) - 1] = text ?? ''
    return true
  }

  /** Rows as they look, colours and all. */
  get styled(): string[] {
    return Array.from({ length: this.rows }, (_, index) => this.#shown[index] ?? '')
  }

  get lines(): string[] {
    return this.styled.map((row) => row.replace(SGR, '').trimEnd())
  }

  get text(): string {
    return this.lines.join('\n')
  }

  resize(columns: number, rows: number): void {
    this.columns = columns
    this.rows = rows
    this.emit('resize')
  }
}

export interface ShowOptions {
  columns?: number
  rows?: number
  colours?: boolean
  isLeased?: boolean
  /** What the files of a service have when the screen begins. */
  past?: (service: string) => LogLine[]
}

/** A screen with these services, what its keys asked for, and what it shows. */
export function show(services: ServiceStatus[], options: ShowOptions = {}) {
  const { columns = 80, rows = 24, colours = false, isLeased = true, past = () => [] } = options
  const store = new ProjectStore(project(services), async function* (service) {
    for (const value of past(service)) yield { ok: true, value }
  })
  const did: Action[] = []
  const terminal = new FakeTerminal(columns, rows)
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: () => undefined,
    ref: () => undefined,
    unref: () => undefined,
  }) as unknown as NodeJS.ReadStream
  const io = { stdin, paint: createPaint(colours), colours }
  const act = (action: Action): void => {
    did.push(action)
    if (action.do === 'repaint') stage.repaint()
  }
  const stage = new Stage(terminal as unknown as Terminal, io, { store, act, isLeased })
  onTestFinished(async () => {
    await stage[Symbol.asyncDispose]()
    store[Symbol.dispose]()
  })
  return {
    store,
    did,
    terminal,
    stage,
    press: (keys: string) => (stdin as unknown as PassThrough).write(keys),
    /** Until the screen has that text. */
    shows: (text: string) => expect.poll(() => terminal.text).toContain(text),
    lacks: (text: string) => expect.poll(() => terminal.text).not.toContain(text),
    log: (service: string, ...lines: string[]) => {
      for (const line of lines) store.logs.push(service, line, 1)
    },
  }
}
