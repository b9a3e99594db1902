import { type Token, tokens } from './tokens.ts'

/** Path of a value in a document: keys and indexes. */
export type Path = readonly (string | number)[]

/** Lines and columns count from 1, columns in UTF-16 units, as editors do. */
export interface Position {
  line: number
  column: number
}

export interface Location extends Position {
  /** How many steps of the path were found. */
  depth: number
}

export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: offset - lineStart + 1 }
}

/**
 * Where `path` is written in the source of a configuration: exactly in JSON; in JavaScript and TypeScript by
 * following object literals, from the exported one if it can be told, through `name(…)`, parentheses and
 * variables of the same file. `at` chooses between a key and what it is set to. What is computed is not
 * found; the place of the nearest key above it is given instead.
 */
export function locate(source: string, path: Path, at: 'key' | 'value'): Location | null {
  const search = new Search(tokens(source))
  const found = search.find(path, at)
  return found && { ...positionAt(source, found.token.start), depth: found.depth }
}

/** Where a module is imported by this specifier. */
export function locateImport(source: string, specifier: string): Position | null {
  const all = tokens(source)
  const found = all.find((token, index) => {
    const before = all[index - 1]
    const imports = before?.text === 'from' || before?.text === 'import' || before?.text === '('
    return token.kind === 'string' && token.text === specifier && imports
  })
  return found ? positionAt(source, found.start) : null
}

interface Found {
  token: Token
  depth: number
}

/** Indexes of tokens: of a key, and of the first token of its value. */
interface Entry {
  key: number
  value: number
}

class Search {
  readonly #tokens: Token[]

  constructor(all: Token[]) {
    this.#tokens = all
  }

  find(path: Path, at: 'key' | 'value'): Found | null {
    let best: Found | null = null
    for (const root of this.#roots()) {
      const found = this.#follow(root, path, at, 0, new Set())
      if (found && (best === null || found.depth > best.depth)) best = found
      if (best?.depth === path.length) break
    }
    return best
  }

  /** Object literals that may be the document: the exported one first, then every other. */
  *#roots(): Generator<number> {
    for (const [index, token] of this.#tokens.entries()) {
      const before = this.#tokens[index - 1]?.text
      if (token.kind === 'word' && token.text === 'default' && before === 'export') yield index + 1
      if (token.text === '=' && before === 'exports') yield index + 1
    }
    for (const [index, token] of this.#tokens.entries())
      if (token.text === '{' && token.kind === 'punctuation') yield index
  }

  #follow(start: number, path: Path, at: 'key' | 'value', depth: number, seen: Set<string>): Found | null {
    const index = this.#unwrap(start, seen)
    const token = this.#tokens[index]
    if (!token) return null
    const here: Found = { token, depth }
    const step = path[depth]
    if (step === undefined) return here
    const entries = this.#entries(index)
    const entry = entries?.(String(step))
    if (!entry) return depth === 0 && !entries ? null : here
    const key = this.#tokens[entry.key]
    const value = this.#tokens[entry.value]
    if (!key || !value) return here
    if (depth + 1 === path.length) return { token: at === 'key' ? key : value, depth: depth + 1 }
    const deeper = this.#follow(entry.value, path, at, depth + 1, seen)
    // Nothing of the rest was found behind a computed value: the key is what a person can look at.
    return deeper && deeper.depth > depth + 1 ? deeper : { token: key, depth: depth + 1 }
  }

  /** Past `await`, `(`, a call's name, and from a variable to what it was declared as. */
  #unwrap(start: number, seen: Set<string>): number {
    let index = start
    for (;;) {
      const token = this.#tokens[index]
      if (!token) return start
      if (token.text === '(' && token.kind === 'punctuation') index += 1
      else if (token.kind !== 'word') return index
      else if (token.text === 'await' || this.#tokens[index + 1]?.text === '(') index += 1
      else {
        const declared = seen.has(token.text) ? -1 : this.#declaration(token.text)
        if (declared < 0) return index
        seen.add(token.text)
        index = declared
      }
    }
  }

  /** Index of the first token of the value in `const name = …` or `const name: Type = …`. */
  #declaration(name: string): number {
    for (const [index, token] of this.#tokens.entries()) {
      if (token.text !== name || !/^(?:const|let|var)$/.test(this.#tokens[index - 1]?.text ?? '')) continue
      for (let at = index + 1; at < this.#tokens.length; at++) {
        const text = this.#tokens[at]?.text
        if (text === '=') return at + 1
        if (text === ';' || text === ',') break
      }
    }
    return -1
  }

  /** Finds the entries of the object or list that begins at `start`; null if none does. */
  #entries(start: number): ((name: string) => Entry | null) | null {
    const open = this.#tokens[start]
    if (open?.kind !== 'punctuation' || (open.text !== '{' && open.text !== '[')) return null
    const list = open.text === '['
    return (name) => {
      let last: Entry | null = null
      let position = 0
      for (let index = start + 1; index < this.#tokens.length; ) {
        const token = this.#tokens[index]
        if (!token || (token.kind === 'punctuation' && /^[\]})]$/.test(token.text))) break
        const after = this.#skip(index)
        if (list) {
          if (String(position) === name) return { key: index, value: index }
        } else if (token.kind !== 'punctuation' && token.text === name) {
          const value = this.#tokens[index + 1]?.text === ':' ? index + 2 : index
          // Of two equal keys the last one counts.
          last = { key: index, value }
        }
        if (this.#tokens[after]?.text !== ',') break
        position += 1
        index = after + 1
      }
      return last
    }
  }

  /** Index of the comma or closing bracket that ends the item at `start`. */
  #skip(start: number): number {
    let depth = 0
    for (let index = start; index < this.#tokens.length; index++) {
      const token = this.#tokens[index]
      if (token?.kind !== 'punctuation') continue
      if (/^[[({]$/.test(token.text)) depth += 1
      else if (/^[\])}]$/.test(token.text)) {
        if (depth === 0) return index
        depth -= 1
      } else if (token.text === ',' && depth === 0) return index
    }
    return this.#tokens.length
  }
}
