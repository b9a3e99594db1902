/** Programs that bind a port by themselves, as generations of a real holder with the preload library in them. */
import { locate } from '../../native/locate.ts'
import { parseReport } from '../../proxy/services/adoption-report.ts'
import { eventually } from '../rig/eventually.ts'
import { type HolderPeer, TestHolder } from './holder-rig.ts'

/** Debian's: pyenv's is a shell script. */
const PYTHON = '/usr/bin/python3'

const PRELUDE = `import fcntl, json, os, select, socket, struct, sys, time
PORT = int(os.environ['PORT'])
def say(*words): print(json.dumps(words), flush=True)
def listener(family=socket.AF_INET, host='127.0.0.1', port=PORT):
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind((host, port))
    made.listen(5)
    return made
def inode(fd): return os.readlink(f'/proc/self/fd/{fd}')
`

export interface Program {
  id?: string
  code: string
  /** Slot of the socket; 0 unless said. */
  slot?: number
  /** The port that the program believes it binds, where it is another one than the held. */
  binds?: number
  env?: Record<string, string>
  /** Put before the interpreter: a wrapper that execs the rest. */
  wrapper?: string[]
}

export class AdoptRig implements AsyncDisposable {
  readonly holder: TestHolder
  readonly daemon: HolderPeer
  readonly port: number

  private constructor(holder: TestHolder, daemon: HolderPeer, port: number) {
    this.holder = holder
    this.daemon = daemon
    this.port = port
  }

  /** A holder with one socket, `a`. */
  static async create(address = 'loopback:0'): Promise<AdoptRig> {
    const { holder, daemon } = await TestHolder.start()
    const { fields } = await daemon.do('bind', ['a', address, 128, '600'])
    return new AdoptRig(holder, daemon, Number(fields[0]))
  }

  /** Starts a Python program as a generation. */
  async start({ id = 'one#1', code, slot = 0, binds, env = {}, wrapper = [] }: Program): Promise<number> {
    const spec = this.holder.spec(id, {
      args: [...wrapper, PYTHON, '-c', PRELUDE + code],
      slots: [`${slot} http a`],
      env: { ...this.environment(binds), ...env },
    })
    const { fields } = await this.daemon.do('spawn', [], [spec])
    return Number(fields[0])
  }

  /** Runs one to its end: what it said, line by line. */
  async run(program: Program): Promise<unknown[][]> {
    await this.start(program)
    await this.daemon.event('gone', program.id ?? 'one#1')
    return this.said()
  }

  /** What the programs have said so far. Throws where a line is none of theirs: a traceback, the library's own. */
  said(): unknown[][] {
    const lines = this.holder.said().trim().split('\n').filter(Boolean)
    return lines.map((line) => {
      if (line.startsWith('[')) return JSON.parse(line)
      throw new Error(`not a program's words:\n${lines.join('\n')}`)
    })
  }

  async says(count: number): Promise<unknown[][]> {
    await eventually(() => this.said().length >= count, {
      what: `${count} lines`,
      dump: async () => this.holder.said(),
    })
    return this.said()
  }

  /** The next report of the library on that generation. */
  async report(id = 'one#1') {
    const { args } = await this.daemon.event('notify', id)
    return parseReport(args[1] ?? '')
  }

  environment(binds?: number): Record<string, string> {
    return {
      PORT: String(binds ?? this.port),
      LD_PRELOAD: locate('devsock-adopt.so'),
      DEVSOCK_ADOPT: binds === undefined ? `${this.port}` : `${binds}=${this.port}`,
      DEVSOCK_HOLDER: this.holder.socketPath,
      PYTHONDONTWRITEBYTECODE: '1',
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder[Symbol.asyncDispose]()
  }
}
