/**
 * What a command may touch of its process: handed in by main.ts, so that a test runs a command without one.
 */
import type { ReadStream, WriteStream } from 'node:tty'
import { createPaint, type Paint, wantsColour } from './print/paint.ts'

/** The options that every command takes. */
export interface GlobalOptions {
  /** -C: as if started there. */
  directory?: string
  config?: string
  all?: boolean
  json?: boolean
  noInput?: boolean
  noColor?: boolean
}

/** A stream that may or may not be a terminal. */
export type Output = Pick<WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>

export interface Io {
  stdin: ReadStream
  stdout: Output
  stderr: Output
  env: NodeJS.ProcessEnv
  /** Absolute; already moved by -C. */
  cwd: string
  /** Whether stdout gets colours; `paint` knows. */
  colours: boolean
  paint: Paint
  /** A person sits there who can be asked: both ends are terminals that can, no CI, no --no-input, no --json. */
  interactive: boolean
}

export type Streams = Pick<Io, 'stdin' | 'stdout' | 'stderr' | 'env' | 'cwd'>

/** Joins the process's streams with the options that decide how they are used. */
export function createIo(streams: Streams, options: GlobalOptions, cwd: string): Io {
  const { stdin, stdout, env } = streams
  const colours = wantsColour(stdout, env, !options.noColor)
  return {
    ...streams,
    cwd,
    colours,
    paint: createPaint(colours),
    interactive:
      stdin.isTTY === true &&
      stdout.isTTY === true &&
      env.TERM !== 'dumb' &&
      !options.noInput &&
      !options.json &&
      !isSet(env.CI),
  }
}

/** Columns to print into; nothing is cut where nobody looks at a screen. A terminal that knows no size says 0. */
export const widthOf = (output: Output): number =>
  output.isTTY ? output.columns || 80 : Number.POSITIVE_INFINITY

export const printLine = (output: Output, text: string): void => {
  output.write(`${text}\n`)
}

/** One document, one line: what `--json` prints. */
export const printJson = (output: Output, document: unknown): void =>
  printLine(output, JSON.stringify(document))

const isSet = (value: string | undefined): boolean => value !== undefined && value !== '' && value !== 'false'
