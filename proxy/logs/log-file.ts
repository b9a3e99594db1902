import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CapOptions } from './cap.ts'
import { Follower, type OnLines } from './follower.ts'
import type { Line } from './line.ts'
import { type ReadOptions, readLines } from './read-lines.ts'
import { Recorder } from './recorder.ts'

export type { Line } from './line.ts'

/** As much as the last words of a server that fails. */
const END_BYTES = 8192

/**
 * The log of one generation: one file that stdout and stderr append to, without anybody between, and its side index.
 *
 * ```
 * <logs>/<project>/<service>/<generation>.log
 *                            <generation>.idx
 * ```
 */
export class LogFile {
  readonly project: string
  readonly service: string
  readonly generation: number
  /** For the generation's stdout and stderr; its folder has to exist ({@link prepare}). */
  readonly path: string
  readonly indexPath: string

  constructor(logs: string, project: string, service: string, generation: number) {
    const folder = logFolder(logs, project, service)
    this.project = project
    this.service = service
    this.generation = generation
    this.path = join(folder, `${generation}.log`)
    this.indexPath = join(folder, `${generation}.idx`)
  }

  /** Makes the folder. */
  prepare(): void {
    mkdirSync(join(this.path, '..'), { recursive: true, mode: 0o700 })
  }

  /** Of a generation that has run nothing of the project. */
  remove(): void {
    for (const path of [this.path, this.indexPath]) rmSync(path, { force: true })
  }

  /** Notes times and caps the file until it is closed; for a generation that runs, one at a time. */
  record(options: CapOptions = {}): Recorder {
    return new Recorder(this.path, this.indexPath, options)
  }

  /** What is in the file now, oldest first. A file that is not there has no lines. */
  read(options: ReadOptions = {}): AsyncGenerator<Line, void, undefined> {
    return readLines(this.path, this.indexPath, options)
  }

  /** Its last few KiB, as they are; '' where it cannot be read. */
  end(): string {
    try {
      const fd = openSync(this.path, 'r')
      try {
        const bytes = Buffer.alloc(END_BYTES)
        const read = readSync(fd, bytes, 0, END_BYTES, Math.max(0, fstatSync(fd).size - END_BYTES))
        return bytes.toString('utf8', 0, read)
      } finally {
        closeSync(fd)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
      return ''
    }
  }

  /**
   * Tells the lines that come from now on, or from the line at offset `from` (0: all there is), in batches. A line
   * is told when it has its end; an unfinished one by drain(). The file need not be there yet.
   */
  follow(onLines: OnLines, options: { from?: number } = {}): Follower {
    return new Follower(this.path, this.indexPath, onLines, options.from)
  }
}

/** Ids and names may hold slashes (`@shop/web`) and dots: each is one folder, whatever it is called. */
export function logFolder(logs: string, project: string, service: string): string {
  return join(projectFolder(logs, project), folderName(service))
}

export const projectFolder = (logs: string, project: string): string => join(logs, folderName(project))

const folderName = (name: string): string => encodeURIComponent(name).replace(/^\./, '%2E')
