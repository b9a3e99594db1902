/** A holder of one test's own, and the raw protocol to talk to it (ARCHITECTURE.md, "The holder's protocol"). */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectSeqpacket, type Descriptor, memoryFile, type Seqpacket } from '../../native/index.ts'
import { locate } from '../../native/locate.ts'
import { scrubbed } from '../rig/environment.ts'
import { eventually } from '../rig/eventually.ts'
import { killAll, processesWith } from '../rig/processes.ts'

const DEADLINE = 10_000

export interface Answer {
  ok: boolean
  /** After `ok`; or ERRNO, SYSCALL, MESSAGE. */
  fields: string[]
  descriptors: Descriptor[]
  items: { fields: string[]; descriptors: Descriptor[] }[]
}

export interface HolderEvent {
  what: string
  args: string[]
  descriptors: Descriptor[]
}

/** One connection to a holder. */
export class HolderPeer implements Disposable {
  readonly events: HolderEvent[] = []
  closed = false
  readonly #seqpacket: Seqpacket
  readonly #waiting: { items: Answer['items']; settle: (answer: Answer) => void }[] = []
  readonly #owned: Descriptor[] = []
  #seq = 0

  constructor(path: string) {
    this.#seqpacket = connectSeqpacket(path)
    this.#seqpacket.start(
      (data, descriptors) => this.#onMessage(data.toString().split('\0'), descriptors),
      () => {
        this.closed = true
      },
    )
  }

  /** Sends any bytes; the next final reply is taken to be the answer. */
  raw(bytes: string | Uint8Array, descriptors: Descriptor[] = []): Promise<Answer> {
    const answered = new Promise<Answer>((settle) => {
      this.#waiting.push({ items: [], settle })
    })
    this.#seqpacket.send(Buffer.from(bytes), descriptors)
    return withDeadline(answered, () => `an answer to ${JSON.stringify(bytes.toString().slice(0, 80))}`)
  }

  /** Sends a request and gets its one final reply, an error too. */
  ask(verb: string, args: (string | number)[] = [], descriptors: Descriptor[] = []): Promise<Answer> {
    this.#seq += 1
    return this.raw([this.#seq, verb, ...args].join('\0'), descriptors)
  }

  /** The fields and descriptors of a reply that has to be `ok`. */
  async do(verb: string, args: (string | number)[] = [], descriptors: Descriptor[] = []): Promise<Answer> {
    const answer = await this.ask(verb, args, descriptors)
    if (!answer.ok) throw new Error(`${verb} ${args.join(' ')}: ${answer.fields.join(' ')}`)
    return answer
  }

  /** The errno of a reply that has to be an error. */
  async refusal(
    verb: string,
    args: (string | number)[] = [],
    descriptors: Descriptor[] = [],
  ): Promise<string> {
    const { ok, fields } = await this.ask(verb, args, descriptors)
    if (ok) throw new Error(`${verb} ${args.join(' ')} was not refused: ${fields.join(' ')}`)
    return fields[0] ?? ''
  }

  /** Takes the first event of that kind, one that has come or one that comes. */
  async event(what: string, ...args: string[]): Promise<HolderEvent> {
    const find = () =>
      this.events.findIndex((each) => each.what === what && args.every((arg, i) => each.args[i] === arg))
    await eventually(() => find() >= 0, {
      what: `the event ${what} ${args.join(' ')}`,
      dump: async () => JSON.stringify(this.events.slice(-20).map(({ what, args }) => [what, ...args])),
    })
    const [event] = this.events.splice(find(), 1)
    if (!event) throw new Error('unreachable')
    return event
  }

  /** Everything that `list` gives, by kind. */
  async list(kind: 'socket' | 'generation' | 'armed'): Promise<Answer['items']> {
    const { items } = await this.do('list')
    return items
      .filter(({ fields }) => fields[0] === kind)
      .map((each) => ({ ...each, fields: each.fields.slice(1) }))
  }

  #onMessage(fields: string[], descriptors: Descriptor[]): void {
    this.#owned.push(...descriptors)
    const [seq, kind = '', ...rest] = fields
    if (seq === '!') {
      this.events.push({ what: kind, args: rest, descriptors })
      return
    }
    const [first] = this.#waiting
    if (kind === 'item') {
      first?.items.push({ fields: rest, descriptors })
      return
    }
    this.#waiting.shift()
    first?.settle({ ok: kind === 'ok', fields: rest, descriptors, items: first.items })
  }

  [Symbol.dispose](): void {
    this.#seqpacket.close()
    for (const descriptor of this.#owned) descriptor.close()
  }
}

export interface HolderOptions {
  /** The command that stands in for the daemon; one that only sleeps unless said. */
  daemon?: string[]
  /** Options of the holder before its `--`. */
  options?: string[]
  /** Given to it as descriptor 3. */
  lockFd?: number
  env?: Record<string, string>
  /** A command that execs the holder. */
  wrapper?: string[]
}

export interface SpecOptions {
  args: string[]
  slots?: string[]
  env?: Record<string, string>
  more?: string[]
  invocation?: string
}

/** One run of the holder's binary. */
export class HolderProcess {
  readonly child: ChildProcess
  stderr = ''

  constructor(dir: string, log: string, options: HolderOptions) {
    const { daemon = ['sleep', '1000'], lockFd, env = {}, wrapper = [] } = options
    const lock = lockFd === undefined ? [] : ['--lock-fd', '3']
    const args = ['--runtime', dir, '--log', log, ...lock, ...(options.options ?? []), '--', ...daemon]
    const [command = '', ...rest] = [...wrapper, locate('devsock-holder'), ...args]
    this.child = spawn(command, rest, {
      stdio: ['ignore', 'ignore', 'pipe', ...(lockFd === undefined ? [] : [lockFd])],
      // Unlike Node, the holder frees what it had: a sanitizer build ends with 99 where it did not.
      env: scrubbed({ DEVSOCK_RUNTIME_DIR: dir, ASAN_OPTIONS: 'detect_leaks=1:exitcode=99', ...env }),
    })
    this.child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString()
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Its exit code; null where a signal ended it. */
  async ended(): Promise<number | null> {
    if (!this.hasEnded)
      await withDeadline(once(this.child, 'close'), () => `the end of the holder\n${this.stderr}`)
    return this.child.exitCode
  }
}

type Options = HolderOptions | ((self: TestHolder) => HolderOptions)

/** A runtime folder with a holder in it. Its disposal fails the test where a process or a file is left. */
export class TestHolder implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'devsock-holder-'))
  readonly logFile = join(this.dir, 'holder.log')
  readonly output = join(this.dir, 'out.log')
  process: HolderProcess
  readonly #peers: HolderPeer[] = []

  private constructor(options: Options) {
    this.process = this.another(typeof options === 'function' ? options(this) : options)
  }

  /** One that answers, and a peer that is its daemon. */
  static async start(options: HolderOptions = {}): Promise<{ holder: TestHolder; daemon: HolderPeer }> {
    const holder = new TestHolder(options)
    await holder.listening()
    return { holder, daemon: await holder.hello('daemon') }
  }

  /** One that may not even start. Its options may depend on its folder. */
  static launch(options: Options = {}): TestHolder {
    return new TestHolder(options)
  }

  /** One more in the same folder. */
  another(options: HolderOptions = {}): HolderProcess {
    return new HolderProcess(this.dir, this.logFile, options)
  }

  /** One more, which is the holder from now on. */
  async restart(options: HolderOptions = {}): Promise<void> {
    // The address of one that was killed stays behind as a file; the next one's is waited for.
    rmSync(this.socketPath, { force: true })
    this.process = this.another(options)
    await this.listening()
  }

  get pid(): number {
    return this.process.pid
  }

  get socketPath(): string {
    return join(this.dir, 'holder.sock')
  }

  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : ''
  }

  /** Nobody has the lock (proc_locks(5): `1: FLOCK ADVISORY WRITE 1234 00:2e:5678 0 EOF`). */
  isUnlocked(): boolean {
    const { ino } = statSync(join(this.dir, 'lock'))
    return !readFileSync('/proc/locks', 'utf8').includes(`:${ino} `)
  }

  /** What the generations wrote. */
  said(): string {
    return existsSync(this.output) ? readFileSync(this.output, 'utf8') : ''
  }

  async listening(): Promise<void> {
    const { process } = this
    await eventually(() => existsSync(this.socketPath) || process.hasEnded, {
      what: 'a holder that listens',
      dump: async () => process.stderr + this.log(),
    })
    if (process.hasEnded) throw new Error(`the holder ended with ${await process.ended()}: ${process.stderr}`)
  }

  peer(): HolderPeer {
    const peer = new HolderPeer(this.socketPath)
    this.#peers.push(peer)
    return peer
  }

  async hello(role: 'daemon' | 'client'): Promise<HolderPeer> {
    const peer = this.peer()
    await peer.do('hello', [1, role])
    return peer
  }

  /** SIGKILL, as an OOM killer does it. */
  async kill(): Promise<void> {
    this.process.child.kill('SIGKILL')
    await this.process.ended()
  }

  /** 128 bits that no other test has: a holder kills whatever carries those of its generations. */
  invocation(id: string): string {
    return createHash('md5').update(`${this.dir} ${id}`).digest('hex')
  }

  /** A spec in a memfd, as the daemon writes it. */
  spec(
    id: string,
    { args, slots = [], env = {}, more = [], invocation = this.invocation(id) }: SpecOptions,
  ): Descriptor {
    const environment = { PATH: process.env.PATH ?? '', DEVSOCK_RUNTIME_DIR: this.dir, ...env }
    const fields = [
      `id=${id}`,
      `invocation=${invocation}`,
      `cwd=${this.dir}`,
      `log=${this.output}`,
      ...args.map((arg) => `arg=${arg}`),
      ...Object.entries(environment).map(([name, value]) => `env=${name}=${value}`),
      ...slots.map((slot) => `slot=${slot}`),
      ...more,
    ]
    return memoryFile('spec', Buffer.from(fields.map((field) => `${field}\0`).join('')))
  }

  /** Processes of this holder: itself, its daemon, its generations and their strays. */
  processes(): ReturnType<typeof processesWith> {
    return processesWith([`DEVSOCK_RUNTIME_DIR=${this.dir}`])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer[Symbol.dispose]()
    try {
      if (!this.process.hasEnded) {
        this.process.child.kill('SIGTERM')
        const code = await this.process.ended()
        if (code !== 0) throw new Error(`the holder ended with ${code}\n${this.log()}`)
        const left = await this.processes()
        if (left.length > 0) throw new Error(`left running: ${JSON.stringify(left)}\n${this.log()}`)
        if (existsSync(this.socketPath)) throw new Error('holder.sock is left')
      }
    } finally {
      await killAll([`DEVSOCK_RUNTIME_DIR=${this.dir}`])
      rmSync(this.dir, { recursive: true, force: true })
    }
  }
}

/** All that a server says until it closes. */
export async function fetchFrom(
  target: { port: number; host?: string } | { path: string },
  say = '',
): Promise<string> {
  const socket = connect('path' in target ? target : { host: '127.0.0.1', ...target })
  socket.setEncoding('utf8')
  let text = ''
  socket.on('data', (chunk: string) => {
    text += chunk
  })
  if (say) socket.end(say)
  await withDeadline(once(socket, 'close'), () => `an answer from ${JSON.stringify(target)}`)
  return text
}

/** A connection that the kernel has completed, whoever accepts it. */
export async function open(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host })
  await withDeadline(once(socket, 'connect'), () => `a connection to ${port}`)
  return socket
}

export async function withDeadline<T>(promise: Promise<T>, what: () => string, ms = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} did not come within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A server in one line: accepts at fd 3 and answers with a word. Python: Node cannot shut a listener down. */
export const answering = (word: string): string[] => [
  'python3',
  '-c',
  `import socket, sys
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    connection.sendall(b${JSON.stringify(word)})
    connection.close()
`,
]
