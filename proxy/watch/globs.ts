import { relative, resolve } from 'node:path'
import picomatch from 'picomatch'

/** One glob, taken apart: everything at or below a folder that passes a test. */
interface Rule {
  negated: boolean
  /** Absolute; a file where the glob names one without wildcards. */
  base: string
  /** Folder levels below the base that a match can be in. */
  depth: number
  test: (pathBelowBase: string) => boolean
}

/**
 * The globs of a service, in order: the last one that matches a path decides, `!` takes away. Relative ones are
 * relative to `root`; `./` and `../` may lead; a plain folder means everything in it. Names with a leading dot
 * match only where the glob writes the dot.
 */
export class Globs {
  /** What has to be watched: folders (or single files) that the globs begin at. */
  readonly bases: readonly string[]
  readonly #rules: Rule[]

  constructor(root: string, globs: readonly string[]) {
    this.#rules = globs.map((glob) => parseGlob(root, glob))
    this.bases = [...new Set(this.#rules.filter((rule) => !rule.negated).map((rule) => rule.base))]
  }

  matches(path: string): boolean {
    for (const rule of this.#rules.toReversed()) {
      const below = within(rule.base, path)
      if (below !== null && rule.test(below)) return !rule.negated
    }
    return false
  }

  /** Whether a folder can hold, or lead to, something that matches. */
  reaches(folder: string): boolean {
    return (
      this.leadsToBase(folder) || this.#rules.some((rule) => !rule.negated && isWithinDepth(rule, folder))
    )
  }

  /** Whether a folder is a base or above one: then it was named, and no ignore rule counts. */
  leadsToBase(folder: string): boolean {
    return this.bases.some((base) => within(folder, base) !== null)
  }
}

function parseGlob(root: string, text: string): Rule {
  const { base, glob, negated = false } = picomatch.scan(text)
  const folder = resolve(root, base.replace(/\\(.)/g, '$1'))
  if (glob === '') {
    // A name without wildcards: that file, or all of that folder. Taking away takes dotfiles too.
    const everything = picomatch('**', { dot: negated })
    return {
      negated,
      base: folder,
      depth: Number.POSITIVE_INFINITY,
      test: (path) => path === '' || everything(path),
    }
  }
  const depth = glob.includes('**') ? Number.POSITIVE_INFINITY : glob.split('/').length - 1
  const matches = picomatch(glob, { dot: negated })
  return { negated, base: folder, depth, test: (path) => path !== '' && matches(path) }
}

function isWithinDepth({ base, depth }: Rule, folder: string): boolean {
  const below = within(base, folder)
  if (below === null) return false
  return (below === '' ? 0 : below.split('/').length) <= depth
}

/** The part of `path` below `folder`, '' for itself, null for what is elsewhere. */
export function within(folder: string, path: string): string | null {
  if (path === folder) return ''
  const prefix = folder.endsWith('/') ? folder : `${folder}/`
  return path.startsWith(prefix) ? path.slice(prefix.length) : null
}

/** As people read it: below the root without it, with `../` elsewhere. */
export function shown(root: string, path: string): string {
  return relative(root, path)
}
