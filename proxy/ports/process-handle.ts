import type { Descriptor, SystemError } from '../../native/index.ts'
import { onReadable, pidfdExited, pidfdOpen, pidfdSignal } from '../../native/index.ts'

/**
 * One process by pidfd (pidfd_open(2)): the number may be given to another process, the handle may not. Whoever
 * opens one must check *afterwards* that the process is the one that was meant (its start time).
 */
export class ProcessHandle implements Disposable {
  readonly pid: number
  readonly #pidfd: Descriptor

  private constructor(pid: number, pidfd: Descriptor) {
    this.pid = pid
    this.#pidfd = pidfd
  }

  /** null when there is no such process (any more). */
  static open(pid: number): ProcessHandle | null {
    try {
      return new ProcessHandle(pid, pidfdOpen(pid))
    } catch (error) {
      if ((error as SystemError).code === 'ESRCH') return null
      throw error
    }
  }

  /** A process that has gone takes no signal and needs none. */
  signal(signal: NodeJS.Signals): void {
    try {
      pidfdSignal(this.#pidfd, signal)
    } catch (error) {
      if ((error as SystemError).code !== 'ESRCH') throw error
    }
  }

  /** Calls back once when the process has ended. */
  onExit(callback: () => void): Disposable {
    return onReadable(this.#pidfd, callback)
  }

  /** True when it ended within `ms`; false when the time or `abort` came first. */
  async exited(ms: number, abort?: AbortSignal): Promise<boolean> {
    if (pidfdExited(this.#pidfd)) return true
    if (abort?.aborted) return false
    const { promise, resolve } = withResolvers()
    const watch = this.onExit(resolve)
    const timer = setTimeout(resolve, ms)
    abort?.addEventListener('abort', resolve, { once: true })
    try {
      await promise
      return pidfdExited(this.#pidfd)
    } finally {
      watch[Symbol.dispose]()
      clearTimeout(timer)
      abort?.removeEventListener('abort', resolve)
    }
  }

  close(): void {
    this.#pidfd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Promise.withResolvers() is Node 22's. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
