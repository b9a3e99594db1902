import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type LoadOptions, loadProject } from '../../proxy/config/load.ts'
import type { ResolvedProject } from '../../proxy/config/types.ts'
import type { Failure } from '../../proxy/protocol.ts'
import { scrubbed } from '../rig/environment.ts'

/** A folder of a test's own, gone with it. Text is written as it is, anything else as JSON. */
export class TestFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** `name`: of the folder itself, below one with a random name. */
  static async with(files: Record<string, string | object>, name = 'shop'): Promise<TestFolder> {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'devsock-config-')))
    const folder = new TestFolder(join(root, name))
    // Searches for a configuration end at a git root: none is to be found in the machine's own folders.
    await folder.write({ '.git/HEAD': 'ref: refs/heads/main\n', ...files })
    return folder
  }

  file(name: string): string {
    return join(this.path, name)
  }

  async write(files: Record<string, string | object>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(this.file(name)), { recursive: true })
      await writeFile(
        this.file(name),
        typeof content === 'string' ? content : JSON.stringify(content, null, 2),
      )
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(dirname(this.path), { recursive: true, force: true })
  }

  /** The project in this folder, which must be sound. */
  async load(more: Partial<LoadOptions> = {}): Promise<ResolvedProject> {
    const result = await loadProject({ dir: this.path, config: null, env: scrubbed(), ...more })
    if (!result.ok)
      throw new Error(`${result.failure.message}\n${this.problemsIn(result.failure).join('\n')}`)
    return result.value
  }

  /** Why the project in this folder cannot be loaded. */
  async failure(more: Partial<LoadOptions> = {}): Promise<Failure> {
    const result = await loadProject({ dir: this.path, config: null, env: scrubbed(), ...more })
    if (result.ok) throw new Error('the configuration was accepted')
    return result.failure
  }

  /** Its problems as `file:line:column path: message (hint)`, files relative to this folder. */
  async problems(more: Partial<LoadOptions> = {}): Promise<string[]> {
    return this.problemsIn(await this.failure(more))
  }

  problemsIn(failure: Failure): string[] {
    return (failure.problems ?? []).map(({ file, line, column, path, message, hint }) => {
      const at = [file?.replace(`${this.path}/`, ''), line, column].filter((part) => part !== null).join(':')
      const text = `${at} ${path}: ${message}${hint === null ? '' : ` (${hint})`}`
      return text.replaceAll(this.path, '.')
    })
  }
}
