/** What is wrong with a value that has `${…}` in it, in words that follow the variable's path. */
export interface ExpansionProblem {
  message: string
  hint: string | null
}

export type Expanded = { ok: true; value: string } | { ok: false; problem: ExpansionProblem }

/** Looks a name up: `VAR` or a reference such as `api.url`. Undefined: not set; a problem: never can be. */
export type Lookup = (name: string) => string | undefined | ExpansionProblem

const NAME = /\w[\w.-]*/y

/**
 * Expands `${NAME}`, `${NAME:-default}` and `$$`. A default stands for what is unset or empty, as in sh, and
 * may hold references itself. A name that is not set is a problem; any other `$` stands for itself.
 */
export function expand(text: string, lookup: Lookup): Expanded {
  const end = new Cursor(text, lookup)
  const value = end.run(null)
  return end.problem === null ? { ok: true, value } : { ok: false, problem: end.problem }
}

/** The names in `${…}`, defaults included. */
export function referencesIn(text: string): string[] {
  const names: string[] = []
  expand(text, (name) => {
    names.push(name)
    return ''
  })
  return names
}

class Cursor {
  readonly #text: string
  readonly #lookup: Lookup
  #at = 0
  problem: ExpansionProblem | null = null

  constructor(text: string, lookup: Lookup) {
    this.#text = text
    this.#lookup = lookup
  }

  /** Expands up to `close`, which is passed over; to the end where it is null. */
  run(close: '}' | null): string {
    let value = ''
    while (this.#at < this.#text.length && this.problem === null) {
      const char = this.#text.charAt(this.#at)
      if (char === close) {
        this.#at += 1
        return value
      }
      if (this.#text.startsWith('$$', this.#at)) {
        value += '$'
        this.#at += 2
      } else if (this.#text.startsWith('${', this.#at)) {
        value += this.#reference()
      } else {
        value += char
        this.#at += 1
      }
    }
    if (close !== null) this.#unclosed()
    return value
  }

  #reference(): string {
    const start = this.#at
    this.#at += 2
    NAME.lastIndex = this.#at
    const word = NAME.exec(this.#text)?.[0].replace(/[.-]+$/, '') ?? ''
    // A hyphen is part of a service's name, `${my-api.url}`; sh's `${A-b}` is not known here.
    const name = word.includes('-') && !word.includes('.') ? '' : word
    this.#at += name.length
    if (name !== '' && this.#text[this.#at] === '}') {
      this.#at += 1
      return this.#resolve(name, null)
    }
    if (name !== '' && this.#text.startsWith(':-', this.#at)) {
      this.#at += 2
      return this.#resolve(name, this.run('}'))
    }
    const close = this.#text.indexOf('}', this.#at)
    if (close < 0) this.#unclosed()
    else {
      this.problem ??= {
        message: `${this.#text.slice(start, close + 1)} is no reference`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a person writes them
        hint: 'write ${NAME}, ${NAME:-default} or ${service.url}; $$ is a dollar sign',
      }
    }
    return ''
  }

  #resolve(name: string, otherwise: string | null): string {
    const found = this.#lookup(name)
    if (typeof found === 'object') {
      this.problem ??= found
      return ''
    }
    if (otherwise !== null) return found === undefined || found === '' ? otherwise : found
    if (found === undefined) {
      const hint = `set it, or write \${${name}:-} for nothing; entries of \`env\` do not see each other`
      this.problem ??= { message: `\${${name}} is not set`, hint }
    }
    return found ?? ''
  }

  #unclosed(): void {
    this.problem ??= { message: '"${" is not closed', hint: 'write "$$" for a dollar sign' }
  }
}
