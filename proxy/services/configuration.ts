import { withAutoPorts } from '../config/auto.ts'
import { LOCAL_NAMES } from '../config/find.ts'
import { loadProject } from '../config/load.ts'
import type { ResolvedProject } from '../config/types.ts'
import { type Failure, fail, ok, type Problem, type Result, type UpRequest } from '../protocol.ts'
import { type WatchSet, watchService } from '../watch/watch-set.ts'
import type { Context } from './context.ts'

/** Whose configuration it is. */
export interface Configured {
  readonly id: string
  readonly resolved: ResolvedProject
  readonly request: UpRequest
  apply(resolved: ResolvedProject): Promise<void>
  /** Its problems are others. */
  tell(): void
}

/** Reads a project's configuration again when one of its files was saved; the last good one goes on until then. */
export class Configuration implements Disposable {
  /** What is wrong with the files as they are now. */
  problems: Problem[] = []
  readonly #context: Context
  readonly #owner: Configured
  #watch: WatchSet | null = null
  #applying: Promise<unknown> = Promise.resolve()

  constructor(context: Context, owner: Configured) {
    this.#context = context
    this.#owner = owner
  }

  /** Watches the files that take part now. */
  watch(): void {
    this.#watch?.close()
    const { dir, config, files } = this.#owner.resolved
    this.#watch = watchService({
      root: dir,
      // A file for one's own machine may come later.
      globs: [...[config, ...files].map((file) => relativeGlob(dir, file)), ...LOCAL_NAMES],
      watch: this.#context.watchFile,
      onChange: ({ path }) => this.reload(path),
      onProblem: (message) => this.#notice('warn', message),
    })
  }

  /** One after the other: a configuration is applied whole before the next one is read. */
  reload(cause: string): void {
    this.#applying = this.#applying
      .then(() => this.#reloadNow(cause))
      .catch((error: unknown) =>
        this.#context.log.error({ project: this.#owner.id, error }, 'the configuration was not applied'),
      )
  }

  [Symbol.dispose](): void {
    this.#watch?.close()
  }

  async #reloadNow(cause: string): Promise<void> {
    const { dir, config } = this.#owner.resolved
    const { env, autoPorts } = this.#owner.request
    const loaded = await loadProject({ dir, config, env })
    const result = loaded.ok ? this.#acceptable(loaded.value) : loaded
    if (!result.ok) {
      this.problems = result.failure.problems ?? [problemOf(result.failure, config)]
      this.#notice('error', `${cause}: ${result.failure.message}; the last good configuration goes on`)
      return this.#owner.tell()
    }
    const healed = this.problems.length > 0
    this.problems = []
    await this.#owner.apply(autoPorts ? withAutoPorts(result.value) : result.value)
    if (healed) this.#owner.tell()
  }

  #acceptable(resolved: ResolvedProject): Result<ResolvedProject> {
    if (resolved.id === this.#owner.id) return ok(resolved)
    const message = `the name became ${resolved.id}`
    return fail('configuration-invalid', message, 'run `devsock down` and `devsock up` for that')
  }

  #notice(level: 'warn' | 'error', message: string): void {
    this.#context.publish({ type: 'notice', level, project: this.#owner.id, service: null, message })
  }
}

const problemOf = ({ message, hint }: Failure, file: string): Problem => ({
  message,
  hint,
  file,
  line: null,
  column: null,
  path: '',
})

/** The configuration's own files are named, not matched: what is special in a glob is escaped. */
function relativeGlob(dir: string, file: string): string {
  const relative = file.startsWith(`${dir}/`) ? file.slice(dir.length + 1) : file
  return relative.replace(/[\\*?[\]{}()!+@|]/g, '\\$&')
}
