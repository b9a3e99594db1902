import { lstatSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { WatchEvent, WatchFile } from './file-watches.ts'
import { type Globs, within } from './globs.ts'
import type { IgnoreRules } from './ignore-rules.ts'

export interface TreeEvents {
  /**
   * Something happened to this path, which matches; it may be there, may be the same as before. `complete`: whoever
   * wrote it has closed it.
   */
  onTouched(path: string, complete: boolean): void
  /** Something happened, and nobody knows what. */
  onLost(): void
  /** inotify is exhausted: from now on nobody tells of some folders. */
  onExhausted(error: NodeJS.ErrnoException): void
}

type Watcher = ReturnType<WatchFile>

/** A folder with a watch on it; none where inotify was exhausted, or the folder has gone. */
interface Folder {
  watcher: Watcher | null
  /** `dev:ino`, to see that another one has come in its place, and symlinks that lead in a circle. */
  identity: string
}

/** A matching file as it is on disk: what tells one content from the next without reading it. */
export interface FileState {
  /** `ino:mtimeNs:size` */
  signature: string
  empty: boolean
  /** Its ctime, ms since the epoch: written, or put here by rename(2). */
  changedAt: number
}

/**
 * The folders that a set of globs reaches, each with one inotify watch, and the walk over the files in them.
 *
 * Not chokidar: it drops a second save within 50 ms of the first (its throttle of `change`; the final content is then
 * never told), lists a new folder before it watches it (a file created in between is lost), and puts a watch on
 * every file. Here a folder is watched first and listed after; what both tell is told once, because it is compared.
 */
export class Tree {
  readonly #globs: Globs
  readonly #rules: IgnoreRules
  readonly #events: TreeEvents
  readonly #watch: WatchFile
  readonly #tops: string[]
  readonly #folders = new Map<string, Folder>()
  /** Files that are symlinks: the folder's watch does not tell of what they lead to. */
  readonly #links = new Map<string, Watcher | null>()
  #closed = false

  constructor(root: string, globs: Globs, rules: IgnoreRules, events: TreeEvents, watch: WatchFile) {
    this.#globs = globs
    this.#rules = rules
    this.#events = events
    this.#watch = watch
    // From the root down, not from the base: a base may be deleted, and come again.
    this.#tops = [...new Set(globs.bases.map((base) => (within(root, base) === null ? dirname(base) : root)))]
  }

  /** False while a folder that everything begins at is not there: nobody tells when it comes. */
  get isWhole(): boolean {
    return this.#tops.every((top) => this.#folders.get(top)?.watcher)
  }

  /**
   * Every matching file there is with its state. Folders on the way that have no watch get one, before they are
   * listed. A generator, so that whoever walks can let others run in between. Throws where a folder cannot be listed
   * although it is there (EMFILE).
   */
  *walk(): Generator<[path: string, state: FileState], void, undefined> {
    for (const top of this.#tops) yield* this.#walkFolder(top)
  }

  /** A file's state now, null where no regular file is. Throws nothing: files come and go. */
  stateOf(path: string): FileState | null {
    const stat = statOf(path)
    if (!stat?.isFile()) return null
    const signature = `${stat.ino}:${stat.mtimeNs}:${stat.size}`
    return { signature, empty: stat.size === 0n, changedAt: Number(stat.ctimeMs) }
  }

  /** Whether a path is one of those that are told of. */
  includes(path: string): boolean {
    return this.#globs.matches(path) && !this.#rules.ignores(path, false)
  }

  /** To be called when a symlink's content has changed: it may be another file now. */
  renew(path: string): void {
    if (!this.#links.has(path)) return
    this.#links.get(path)?.close()
    this.#links.delete(path)
    this.#watchLink(path)
  }

  close(): void {
    this.#closed = true
    for (const { watcher } of this.#folders.values()) watcher?.close()
    for (const watcher of this.#links.values()) watcher?.close()
    this.#folders.clear()
    this.#links.clear()
  }

  *#walkFolder(path: string): Generator<[string, FileState], void, undefined> {
    if (!this.#watchFolder(path)) return
    for (const entry of entriesOf(path)) {
      const child = join(path, entry.name)
      if (entry.isSymbolicLink() && this.includes(child)) this.#watchLink(child)
      if (this.#isFolder(child, entry)) {
        if (this.#globs.reaches(child) && !this.#rules.ignores(child, true)) yield* this.#walkFolder(child)
      } else if (this.includes(child)) {
        const state = this.stateOf(child)
        if (state) yield [child, state]
      }
    }
  }

  /** False where there is no folder, or one that we are in already. */
  #watchFolder(path: string): boolean {
    const stat = statOf(path)
    if (this.#closed || !stat?.isDirectory()) return false
    const identity = `${stat.dev}:${stat.ino}`
    const known = this.#folders.get(path)
    if (known?.identity === identity && known.watcher !== null) return true
    known?.watcher?.close()
    if (this.#isCircle(path, identity)) return false
    this.#folders.set(path, {
      identity,
      watcher: this.#start(path, (event) => this.#happened(path, event)),
    })
    return true
  }

  #watchLink(path: string): void {
    if (this.#closed || this.#links.has(path) || !statOf(path)?.isFile()) return
    this.#links.set(
      path,
      this.#start(path, ({ complete }) => this.#events.onTouched(path, complete)),
    )
  }

  #start(path: string, onEvent: (event: WatchEvent) => void): Watcher | null {
    try {
      return this.#watch(path, onEvent)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EMFILE') this.#events.onExhausted(error as NodeJS.ErrnoException)
      else if (code !== 'ENOENT' && code !== 'EACCES') throw error
      return null
    }
  }

  #happened(folder: string, { name, complete, cameOrWent, ended }: WatchEvent): void {
    if (this.#closed) return
    if (name === null) {
      // Another folder of this name may have the same inode number.
      if (ended) this.#folders.delete(folder)
      else this.#cameOrWent(folder)
      return this.#events.onLost()
    }
    const path = join(folder, name)
    if (name === '.gitignore') {
      this.#rules.forget(folder)
      this.#events.onLost()
    }
    // A new folder has to be watched at once.
    if (cameOrWent) this.#cameOrWent(path)
    if (this.includes(path)) this.#events.onTouched(path, complete)
  }

  #cameOrWent(path: string): void {
    const stat = statOf(path)
    const known = this.#folders.get(path)
    if (known && `${stat?.dev}:${stat?.ino}` !== known.identity) {
      this.#leave(path)
      // The files that were below it are in no listing now.
      this.#events.onLost()
    }
    if (stat?.isDirectory()) this.#enter(path)
    else if (stat && isLink(path) && this.includes(path)) {
      this.renew(path)
      this.#watchLink(path)
    }
  }

  #enter(folder: string): void {
    if (this.#folders.has(folder) || !this.#globs.reaches(folder) || this.#rules.ignores(folder, true)) return
    try {
      for (const [file] of this.#walkFolder(folder)) this.#events.onTouched(file, false)
    } catch (error) {
      // No descriptor left to list it with: later, then.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      this.#events.onLost()
    }
  }

  #leave(folder: string): void {
    for (const [path, { watcher }] of this.#folders) {
      if (within(folder, path) === null) continue
      watcher?.close()
      this.#folders.delete(path)
    }
    for (const [path, watcher] of this.#links) {
      if (within(folder, path) === null) continue
      watcher?.close()
      this.#links.delete(path)
    }
  }

  #isFolder(path: string, entry: { isDirectory(): boolean; isSymbolicLink(): boolean }): boolean {
    return entry.isDirectory() || (entry.isSymbolicLink() && (statOf(path)?.isDirectory() ?? false))
  }

  /** A symlink to a folder above itself. */
  #isCircle(path: string, identity: string): boolean {
    for (let above = dirname(path); this.#folders.has(above); above = dirname(above)) {
      if (this.#folders.get(above)?.identity === identity) return true
    }
    return false
  }
}

/** null for what is not there, or cannot be reached (EACCES, ELOOP). */
function statOf(path: string) {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return null
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

/** What of a folder's listing may fail because it went, or is not ours to read. */
const UNREADABLE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'])

/** Throws where there is a folder that could not be listed (EMFILE): its files have not gone. */
function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (!UNREADABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    return []
  }
}
