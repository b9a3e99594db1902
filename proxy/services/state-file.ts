import { renameSync, rmSync, writeFileSync } from 'node:fs'

/** Until what need not be saved at once is: by then more has mostly come, and is saved with it. */
const SOON_MS = 50

/**
 * A JSON file that is written whole, at most once a turn of the event loop, and put in place by rename: a reader,
 * or the next daemon, finds the old content or the new one, never half of it.
 */
export class StateFile {
  readonly path: string
  readonly #content: () => unknown
  readonly #onError: (error: unknown) => void
  #writing: Promise<void> | null = null
  #soon: NodeJS.Timeout | null = null

  constructor(path: string, content: () => unknown, onError: (error: unknown) => void) {
    this.path = path
    this.#content = content
    this.#onError = onError
  }

  /** The content is another: it will be written with the next turn. */
  touch(): void {
    this.#writing ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#writing = null
        this.write()
        resolve()
      })
    })
  }

  /** The same for what the next daemon would find out by itself, or could do without. */
  touchSoon(): void {
    this.#soon ??= setTimeout(() => this.touch(), SOON_MS)
  }

  /** Resolves when everything touched before is on disk (or could not be written, which was told). */
  saved(): Promise<void> {
    if (this.#soon !== null) this.touch()
    return this.#writing ?? Promise.resolve()
  }

  write(): void {
    this.#forgetSoon()
    const temporary = `${this.path}.new`
    try {
      writeFileSync(temporary, JSON.stringify(this.#content()), { mode: 0o600 })
      renameSync(temporary, this.path)
    } catch (error) {
      // A full disk: what runs goes on, and the next change tries again.
      this.#onError(error)
    }
  }

  remove(): void {
    this.#forgetSoon()
    rmSync(this.path, { force: true })
  }

  #forgetSoon(): void {
    if (this.#soon !== null) clearTimeout(this.#soon)
    this.#soon = null
  }
}
