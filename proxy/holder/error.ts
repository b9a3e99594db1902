/** What the holder, or the way to it, answers instead of `ok`. */
export class HolderError extends Error {
  override readonly name = 'HolderError'
  /** An errno by its name: `EADDRINUSE` (of `bind`: somebody has the port), `ESRCH`, `ENOENT` … */
  readonly code: string
  /** The call that failed: `bind`, `execve`; `parse` and `encode` for messages that were refused unsent or unread. */
  readonly syscall: string

  constructor(code: string, syscall: string, message: string) {
    super(message)
    this.code = code
    this.syscall = syscall
  }
}

/** The connection to the holder has gone; whether the request was carried out is not known. */
export class HolderLost extends HolderError {
  constructor(message: string) {
    super('ECONNRESET', 'holder', message)
  }
}
