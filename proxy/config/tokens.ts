/** A token of JavaScript, TypeScript or JSON. `text` of a string is its content; `end` is exclusive. */
export interface Token {
  kind: 'word' | 'string' | 'number' | 'regex' | 'template' | 'punctuation'
  text: string
  start: number
  end: number
}

const SPACE = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))+/y
const WORD = /[\p{ID_Start}$_#@][\p{ID_Continue}$\u200c\u200d]*/uy
const NUMBER = /\.?\d[\w.]*/y
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?/y
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
const PUNCTUATION = /=>|\.\.\.|\?\.|[\s\S]/uy

/** After these a slash begins a regular expression; after a word or a closing bracket it divides. */
const BEFORE_REGEX = /^(?:[=(,:[!&|?{};+*%~^<>-]|=>|\.\.\.|return|typeof|case|default)$/

/**
 * Splits source text into tokens, leaving out space and comments. Tolerant: text that is no JavaScript
 * gives tokens too, and never an error.
 */
export function tokens(source: string): Token[] {
  const found: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0] ?? null
  }
  while (at < source.length) {
    const space = match(SPACE)
    if (space !== null) {
      at += space.length
      continue
    }
    const token = next(found.at(-1), match, source, at)
    found.push({ ...token, start: at, end: at + token.length })
    at += token.length
  }
  return found
}

type Piece = Pick<Token, 'kind' | 'text'> & { length: number }

function next(
  previous: Token | undefined,
  match: (pattern: RegExp) => string | null,
  source: string,
  at: number,
): Piece {
  const piece = (kind: Token['kind'], text: string, length = text.length): Piece => ({ kind, text, length })
  const word = match(WORD)
  if (word !== null) return piece('word', word)
  const number = match(NUMBER)
  if (number !== null) return piece('number', number)
  const string = match(STRING)
  if (string !== null) return piece('string', unescaped(string), string.length)
  if (source[at] === '`') return piece('template', '', templateLength(source, at))
  const regexAllowed =
    previous === undefined || (previous.kind !== 'string' && BEFORE_REGEX.test(previous.text))
  const regex = source[at] === '/' && regexAllowed ? match(REGEX) : null
  if (regex !== null) return piece('regex', regex)
  return piece('punctuation', match(PUNCTUATION) ?? source.charAt(at))
}

/** Keys with escapes other than of one character are not told apart: nobody writes them in a configuration. */
function unescaped(literal: string): string {
  const closed = literal.length > 1 && literal.at(-1) === literal[0]
  return literal.slice(1, closed ? -1 : undefined).replace(/\\(.)/g, '$1')
}

/** Length of the template literal at `start`, its `${…}` and the templates in them included. */
function templateLength(source: string, start: number): number {
  let depth = 0
  for (let at = start + 1; at < source.length; at++) {
    const char = source[at]
    if (char === '\\') at += 1
    else if (depth === 0 && char === '`') return at + 1 - start
    else if (depth === 0 && char === '$' && source[at + 1] === '{') {
      depth = 1
      at += 1
    } else if (depth > 0) {
      if (char === '{') depth += 1
      else if (char === '}') depth -= 1
      else if (char === '`') at += templateLength(source, at) - 1
    }
  }
  return source.length - start
}
