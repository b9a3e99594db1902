/** What a process loads while it waits for a save, and hands to the program afterwards. */
import { KNOWN, READ } from './known.ts'

/** A module as require.cache has it. */
type Loaded = NonNullable<NodeJS.Require['cache'][string]>

/** Packages, of which a program gets those that it would load no differently by itself. */
export class Ahead {
  readonly #cache: NodeJS.Require['cache']
  /** The files of these packages. */
  readonly #paths: readonly string[]
  readonly #states: ReadonlyMap<string, string>
  readonly #surroundings = surroundings()

  /** `names`: as the program will ask for them. What cannot be loaded is left to it; of what was named, the log says so. */
  constructor(names: readonly string[] | 'known') {
    // What nearly every server needs of Node itself.
    require('node:http')
    const { createRequire } = require('node:module') as typeof import('node:module')
    const program = programFile()
    const load = createRequire(program)
    this.#cache = load.cache
    const others = new Set(Object.keys(this.#cache))
    for (const name of names === 'known' ? known(program) : names) {
      try {
        load(name)
      } catch (error) {
        if (names === 'known') continue
        const why = error instanceof Error ? error.message.split('\n')[0] : error
        process.stderr.write(`devsock: standby: ${name} is not loaded ahead: ${why}\n`)
      }
    }
    this.#paths = Object.keys(this.#cache).filter((path) => !others.has(path))
    // What is resolved by package.json: Node keeps what it has read of them, the program's own too.
    const folders = this.#paths.map((path) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+\//.exec(path))
    const resolvedBy = folders.flatMap((found) => (found ? [`${found[0]}package.json`] : []))
    const read = [...this.#paths, ...resolvedBy, ...packageFiles(program)]
    this.#states = new Map(read.map((path) => [path, stateOf(path)]))
  }

  /** Whether every file is still the one that was read. */
  isCurrent(): boolean {
    return [...this.#states].every(([path, state]) => stateOf(path) === state)
  }

  /** Gives the program each file when it asks for it, as long as nothing has changed that its loading depends on. */
  offer(): void {
    const cache = this.#cache
    const offered = new Set(this.#paths)
    const put = (path: string, value: Loaded) => {
      offered.delete(path)
      Object.defineProperty(cache, path, { value, configurable: true, enumerable: true, writable: true })
    }
    // With all that it has loaded: it would be there by now.
    const give = (module: Loaded): Loaded => {
      if (offered.has(module.filename)) {
        put(module.filename, module)
        module.children.forEach(give)
      }
      return module
    }
    for (const path of this.#paths) {
      const module = cache[path]
      if (module === undefined) continue
      Object.defineProperty(cache, path, {
        configurable: true,
        enumerable: true,
        get: () => {
          if (isSame(this.#surroundings, surroundings())) return give(module)
          offered.delete(path)
          delete cache[path]
        },
        set: (value: Loaded) => put(path, value),
      })
    }
  }
}

/** It may have been named by its folder. */
function programFile(): string {
  const { statSync } = require('node:fs') as typeof import('node:fs')
  const { join } = require('node:path') as typeof import('node:path')
  const named = process.argv[1] || process.cwd()
  return statSync(named, { throwIfNoEntry: false })?.isDirectory() ? join(named, 'index.js') : named
}

/** Of the packages that the program's package.json depends on. */
function known(program: string): readonly string[] {
  const { readFileSync } = require('node:fs') as typeof import('node:fs')
  for (const path of packageFiles(program)) {
    try {
      const { dependencies } = JSON.parse(readFileSync(path, 'utf8'))
      if (dependencies) return KNOWN.filter((name) => name in dependencies)
    } catch (_) {
      // It is further up.
    }
  }
  return []
}

/** Where the program's package.json may be, the nearest first. */
function packageFiles(program: string): string[] {
  const { dirname, join } = require('node:path') as typeof import('node:path')
  const folder = dirname(program)
  const here = join(folder, 'package.json')
  return folder === dirname(folder) ? [here] : [here, ...packageFiles(folder)]
}

/** Node's loader, which instrumentation replaces, and the variables that packages look at. */
function surroundings(): readonly unknown[] {
  const Module = require('node:module') as unknown as {
    _load: unknown
    _resolveFilename: unknown
    _extensions: Record<string, unknown>
    prototype: { require: unknown; _compile: unknown }
  }
  const { _load, _resolveFilename, _extensions, prototype } = Module
  const variables = Object.entries(process.env).filter(([name]) => READ.test(name))
  return [
    _load,
    _resolveFilename,
    _extensions['.js'],
    prototype.require,
    prototype._compile,
    ...variables.flat(),
  ]
}

const isSame = (one: readonly unknown[], other: readonly unknown[]) =>
  one.length === other.length && one.every((each, index) => each === other[index])

function stateOf(path: string): string {
  const { statSync } = require('node:fs') as typeof import('node:fs')
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.ino} ${stat.mtimeMs} ${stat.size}` : ''
}
