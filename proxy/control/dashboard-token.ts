import { randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'

/** 144 bits, 24 characters: nobody guesses it, and the link with it fits one line of a terminal. */
const BYTES = 18
const WELL_FORMED = /^[A-Za-z0-9_-]{24}$/

/** Whoever has it may do on the dashboard what its user may. A later daemon has the same one: pages stay open. */
export class Token {
  readonly text: string

  private constructor(text: string) {
    this.text = text
  }

  /** The one in that file, or a new one where there is none, or others could read it. */
  static load(path: string): Token {
    const kept = readKept(path)
    if (kept !== null) return new Token(kept)
    const text = randomBytes(BYTES).toString('base64url')
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, `${text}\n`, { mode: 0o600 })
    // An odd umask, or a file that a killed daemon left, may have made it another mode.
    chmodSync(temporary, 0o600)
    renameSync(temporary, path)
    return new Token(text)
  }

  /** Takes as long for a wrong one as for the right one. */
  matches(candidate: unknown): boolean {
    if (typeof candidate !== 'string') return false
    const [given, own] = [Buffer.from(candidate), Buffer.from(this.text)]
    return given.length === own.length && timingSafeEqual(given, own)
  }
}

function readKept(path: string): string | null {
  try {
    const { mode, uid } = statSync(path)
    const text = readFileSync(path, 'utf8').trim()
    return (mode & 0o077) === 0 && uid === process.getuid?.() && WELL_FORMED.test(text) ? text : null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
