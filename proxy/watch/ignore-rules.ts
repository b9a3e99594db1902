import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { type Globs, within } from './globs.ts'

/** Never watched below a glob's base. `watch: ['node_modules/mine/**']` names it and so gets it. */
const NEVER = new Set(['node_modules', '.git', '.hg', '.svn'])
/** The configuration has a watch of its own, and a change of it is no change of a service. */
const OWN = /^devsock\.(config|local)\.[cm]?[jt]s(on)?$/
/** What editors put beside a file while they save it (vim, emacs, JetBrains). */
const EDITORS = /(^4913|~|\.sw[a-z]|___jb_(tmp|old)___)$|^(\.?#.*)$/

/**
 * What is not watched although a glob matches it: tools' own folders, editors' files, and what .gitignore files
 * say, from the repository's top (or the root) down, the deeper one first. What a glob names itself is watched in
 * any case: `dist/**` means dist, ignored or not.
 */
export class IgnoreRules {
  readonly #globs: Globs
  /** The top of the git repository that the root is in. */
  readonly repository: string | null
  /** Where .gitignore files begin to count. */
  readonly #top: string
  readonly #files = new Map<string, Ignore | null>()
  /** Bases that git ignores: below them its rules say nothing. */
  readonly #exempt: string[]

  constructor(root: string, globs: Globs) {
    this.#globs = globs
    this.repository = repositoryOf(root)
    this.#top = this.repository ?? root
    this.#exempt = []
    this.#exempt = globs.bases.filter((base) => this.#gitIgnoresAnyOf(base))
  }

  /** The folders above must not be ignored themselves: whoever walks does not enter those. */
  ignores(path: string, isFolder: boolean): boolean {
    if (this.#globs.leadsToBase(path)) return false
    const name = basename(path)
    if (this.#isToolsOwn(path) || (!isFolder && (OWN.test(name) || EDITORS.test(name)))) return true
    return !this.#exempt.some((base) => within(base, path) !== null) && this.#gitIgnores(path, isFolder)
  }

  /** A .gitignore was written. */
  forget(folder: string): void {
    this.#files.delete(folder)
  }

  /** Below every base that it is below, whichever glob it may have been named by. */
  #isToolsOwn(path: string): boolean {
    return this.#globs.bases.every((base) => {
      const below = within(base, path)
      return below === null || below.split('/').some((part) => NEVER.has(part))
    })
  }

  #gitIgnores(path: string, isFolder: boolean): boolean {
    for (let folder = dirname(path); within(this.#top, folder) !== null; folder = dirname(folder)) {
      const result = this.#rulesOf(folder)?.test(relative(folder, path) + (isFolder ? '/' : ''))
      if (result?.ignored || result?.unignored) return result.ignored
      if (folder === this.#top) break
    }
    return false
  }

  #gitIgnoresAnyOf(base: string): boolean {
    for (let path = base; path !== this.#top && within(this.#top, path) !== null; path = dirname(path)) {
      if (this.#gitIgnores(path, path !== base) || this.#gitIgnores(path, true)) return true
    }
    return false
  }

  #rulesOf(folder: string): Ignore | null {
    const known = this.#files.get(folder)
    if (known !== undefined) return known
    const rules = readRules(join(folder, '.gitignore'))
    this.#files.set(folder, rules)
    return rules
  }
}

function readRules(path: string): Ignore | null {
  try {
    return ignore().add(readFileSync(path, 'utf8'))
  } catch (error) {
    // Not there, or nothing that one could read: then nothing is ignored by it.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return null
  }
}

function repositoryOf(root: string): string | null {
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return folder
    if (folder === dirname(folder)) return null
  }
}
