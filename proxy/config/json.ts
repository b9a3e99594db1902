/** JSON, or the first thing that is wrong with it; `offset` counts UTF-16 units of `text`. */
export type ParsedJson =
  | { ok: true; value: unknown }
  | { ok: false; message: string; hint: string | null; offset: number }

/**
 * JSON.parse() that says where: V8's messages lack the place more often than not, and only it knows what is
 * right, so that a second look is taken at what it refused.
 */
export function parseJson(text: string): ParsedJson {
  const body = text.startsWith('\uFEFF') ? ` ${text.slice(1)}` : text
  try {
    return { ok: true, value: JSON.parse(body) }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { ok: false, ...new Check(body).run() }
  }
}

interface Flaw {
  message: string
  hint: string | null
  offset: number
}

class Wrong extends Error {
  readonly flaw: Flaw
  constructor(flaw: Flaw) {
    super(flaw.message)
    this.flaw = flaw
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids exactly these, raw
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const WORD = /(?:true|false|null)\b/y

/** RFC 8259 by recursive descent, only to find the first flaw. */
class Check {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  run(): Flaw {
    try {
      this.#space()
      if (this.#at === this.#text.length) return this.#flaw('the file is empty')
      this.#value()
      this.#space()
      return this.#flaw('something follows the end of the document')
    } catch (error) {
      if (error instanceof Wrong) return error.flaw
      throw error
    }
  }

  #value(): void {
    const next = this.#text[this.#at]
    if (next === '{') return this.#list('}', () => this.#member())
    if (next === '[') return this.#list(']', () => this.#value())
    if (this.#take(STRING) || this.#take(NUMBER) || this.#take(WORD)) return
    if (next === '"') this.#fail('a string is not closed, or holds a raw line end or an unknown escape')
    if (next === "'") this.#fail('a string is written in single quotes', 'JSON has double quotes only')
    this.#fail('a value is missing here')
  }

  #member(): void {
    if (!this.#take(STRING)) {
      const bare = /[\w$'-]/.test(this.#text[this.#at] ?? '')
      this.#fail(
        'a key in double quotes is missing here',
        bare ? 'JSON keys are written in double quotes' : null,
      )
    }
    this.#space()
    this.#expect(':')
    this.#space()
    this.#value()
  }

  #list(close: string, item: () => void): void {
    this.#at += 1
    this.#space()
    if (this.#text[this.#at] === close) {
      this.#at += 1
      return
    }
    for (;;) {
      item()
      this.#space()
      if (this.#text[this.#at] === close) break
      const comma = this.#at
      this.#expect(',', close)
      this.#space()
      if (this.#text[this.#at] === close) {
        this.#at = comma
        this.#fail(`a comma stands before ${JSON.stringify(close)}`, 'JSON has no trailing commas')
      }
    }
    this.#at += 1
  }

  #expect(wanted: string, other?: string): void {
    if (this.#text[this.#at] === wanted) {
      this.#at += 1
      return
    }
    this.#fail(`${JSON.stringify(wanted)}${other ? ` or ${JSON.stringify(other)}` : ''} is missing here`)
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1
    if (this.#text.startsWith('//', this.#at) || this.#text.startsWith('/*', this.#at)) {
      this.#fail('JSON has no comments', 'remove it, or write the configuration in devsock.config.ts')
    }
  }

  #flaw(message: string, hint: string | null = null): Flaw {
    const end = this.#at >= this.#text.length
    return {
      message: end && message.endsWith('missing here') ? 'the file ends in the middle' : message,
      hint,
      offset: this.#at,
    }
  }

  #fail(message: string, hint: string | null = null): never {
    throw new Wrong(this.#flaw(message, hint))
  }
}
