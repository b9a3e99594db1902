import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { fail, ok, type Result } from '../protocol.ts'
import { inheritedEnvironment } from './environment.ts'
import type { Evaluated, Evaluation } from './evaluate.ts'

export interface EvaluatorOptions {
  /** Working folder: that of the user's `up`. */
  cwd: string
  /** Environment of the user's `up`. */
  env: Readonly<Record<string, string>>
  signal?: AbortSignal
  /** Milliseconds; default: 10,000. */
  timeoutMs?: number
}

const TIMEOUT_MS = 10_000
/** A configuration that is larger is a mistake. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
/** What a configuration prints is kept only to explain a failure. */
const MAX_OUTPUT_BYTES = 16 * 1024

/**
 * Runs configurations written in TypeScript or JavaScript in a process of their own, which ends with all it
 * started: by itself, at the deadline, or when `signal` is aborted.
 */
export async function evaluateFiles(
  files: readonly string[],
  options: EvaluatorOptions,
): Promise<Result<Evaluated[]>> {
  const { cwd, env, signal, timeoutMs = TIMEOUT_MS } = options
  if (signal?.aborted) return interrupted()
  const child = spawn(process.execPath, [...evaluatorCommand(), ...files], {
    cwd,
    env: inheritedEnvironment(env),
    // A group of its own, so that what the configuration started is ended too.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })

  // Without a free descriptor a child has no streams at all, only its error.
  const [stdout, stderr, pipe] = (child.stdio?.slice(1) ?? []) as Readable[]
  const exited = ended(child)
  if (!stdout || !stderr || !pipe) return notRun((await exited).error)

  let stopped: 'timeout' | 'aborted' | 'too-large' | null = null
  const stop = (why: typeof stopped): void => {
    stopped ??= why
    killGroup(child.pid)
  }
  const deadline = setTimeout(stop, timeoutMs, 'timeout')
  const onAbort = (): void => stop('aborted')
  signal?.addEventListener('abort', onAbort, { once: true })

  const output = new Tail(MAX_OUTPUT_BYTES)
  output.read(stdout)
  output.read(stderr)
  const document: Buffer[] = []
  let size = 0
  pipe.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > MAX_DOCUMENT_BYTES) stop('too-large')
    else document.push(chunk)
  })

  try {
    const closed = once(pipe, 'close')
    const exit = await exited
    if (exit.error) return notRun(exit.error)
    // What it started goes with it: as long as one of these lives, the group's number is no other's.
    killGroup(child.pid)
    await closed
    if (stopped !== null) return stopped === 'aborted' ? interrupted() : stoppedAt(stopped, timeoutMs, output)
    if (exit.code !== 0) {
      const how = exit.signal === null ? `exit status ${exit.code}` : exit.signal
      return fail('configuration-invalid', `the configuration ended its process (${how})`, output.hint(null))
    }
    return understood(Buffer.concat(document).toString(), files, output)
  } finally {
    clearTimeout(deadline)
    signal?.removeEventListener('abort', onAbort)
    // A stray of the configuration that left its group may still hold these.
    stdout.destroy()
    stderr.destroy()
  }
}

function stoppedAt(limit: 'timeout' | 'too-large', timeoutMs: number, output: Tail): Result<never> {
  if (limit === 'too-large')
    return fail('configuration-invalid', 'the configuration is larger than 4 MiB', null)
  return fail(
    'configuration-invalid',
    `the configuration did not end within ${timeoutMs / 1000} s`,
    output.hint('it may wait for something; a configuration is evaluated before anything runs'),
  )
}

function notRun(error: Error | null): Result<never> {
  return fail('daemon-failed', `the configuration could not be run: ${error?.message ?? 'no process'}`, null)
}

interface Exit {
  code: number | null
  signal: string | null
  error: Error | null
}

function ended(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
    child.once('exit', (code, signal) => resolve({ code, signal, error: null }))
  })
}

function understood(text: string, files: readonly string[], output: Tail): Result<Evaluated[]> {
  // A configuration that calls process.exit(0) leaves nothing; one that writes to descriptor 3, too much.
  try {
    const { v, files: evaluated } = JSON.parse(text) as Evaluation
    if (v === 1 && evaluated.length === files.length) return ok(evaluated)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return fail(
    'configuration-invalid',
    'the configuration ended its process before it was complete',
    output.hint(null),
  )
}

/** `evaluate.js` beside this module in a build; from source `evaluate.ts`, which Node 20 cannot run by itself. */
function evaluatorCommand(): string[] {
  const built = fileURLToPath(new URL('evaluate.js', import.meta.url))
  if (existsSync(built)) return [built]
  const jiti = pathToFileURL(createRequire(import.meta.url).resolve('jiti'))
  const register = new URL('jiti-register.mjs', jiti).href
  const source = fileURLToPath(new URL('evaluate.ts', import.meta.url))
  return ['--import', register, source]
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // EPERM: macOS says so of a group that is all zombies (kill(2)).
    if (!/^(ESRCH|EPERM)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

const interrupted = (): Result<never> => fail('interrupted', 'the configuration was not needed any more')

/** The last bytes of what a process printed. */
class Tail {
  readonly #limit: number
  #text = ''

  constructor(limit: number) {
    this.#limit = limit
  }

  read(stream: Readable): void {
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      this.#text = (this.#text + chunk).slice(-this.#limit)
    })
  }

  /** The last lines as a hint, or what is said where there are none. */
  hint(otherwise: string | null): string | null {
    const lines = this.#text.trimEnd().split('\n').slice(-5).join('\n')
    return lines === '' ? otherwise : `it printed: ${lines}`
  }
}
