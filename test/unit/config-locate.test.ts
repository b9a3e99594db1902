import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../proxy/config/json.ts'
import { locate, locateImport, type Path, positionAt } from '../../proxy/config/locate.ts'

function at(source: string, path: Path, what: 'key' | 'value' = 'value'): string | null {
  const found = locate(source, path, what)
  return found && `${found.line}:${found.column} ${found.depth}`
}

describe('a value is found where it is written', () => {
  const source = `import { defineConfig } from 'devsock' // { services: { api: 1 } }

const shared = { backlog: 5, services: 'not these' }
/* services: { api: { listen: 1 } } */
export default defineConfig({
  name: \`a \${{ services: {} }} \`,
  services: {
    web: 'npm run dev { services: }',
    'my-api': {
      listen: [3000, { address: 'x', ...shared }],
      ready: { log: /services: \\/{/.source },
      env: {
        "A": "1", B: "}",
      },
    },
  },
} satisfies Config)
`
  test.each<[Path, string]>([
    [['name'], '6:9 1'],
    [['services', 'web'], '8:10 2'],
    [['services', 'my-api', 'listen', 1, 'address'], '10:33 5'],
    [['services', 'my-api', 'env', 'B'], '13:22 4'],
    [['services', 'my-api', 'ready', 'log'], '11:21 4'],
  ])('%j', (path, place) => {
    expect(at(source, path)).toBe(place)
  })

  test('or else the nearest key above it', () => {
    expect(at(source, ['services', 'my-api', 'listen', 1, 'mode'])).toBe('10:22 4')
    expect(at(source, ['services', 'my-api', 'command'])).toBe('9:5 2')
  })

  test('its key, where that is what is wrong', () => {
    expect(at(source, ['services', 'my-api'], 'key')).toBe('9:5 2')
  })
})

test('the configuration is followed through variables, calls and CommonJS', () => {
  expect(
    at('const api = { listen: 1 }\nexport default { services: { api } }', ['services', 'api', 'listen']),
  ).toBe('1:23 3')
  expect(at('const c: DevsockConfig = { services: { a: 5 } };\nexport default c', ['services', 'a'])).toBe(
    '1:43 2',
  )
  expect(at('module.exports = { services: { a: 5 } }', ['services', 'a'])).toBe('1:35 2')
  expect(at('export default await load(({ services: { a: 5 } }))', ['services', 'a'])).toBe('1:45 2')
  expect(at('const a = a\nexport default a', ['services'])).not.toBeUndefined()
})

test('of two equal keys the one that counts is shown', () => {
  expect(at('{ "a": 1, "a": 2 }', ['a'])).toBe('1:16 1')
})

const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })

test('in JSON every value is found exactly', () => {
  const walk = (value: unknown, path: Path, visit: (path: Path, value: unknown) => void): void => {
    if (path.length > 0) visit(path, value)
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value))
      walk(inner, [...path, Array.isArray(value) ? Number(key) : key], visit)
  }
  // Keys that hold escapes in JSON are documented as not told apart.
  const plain = json.filter((value) => !JSON.stringify(value).includes('\\'))
  fc.assert(
    fc.property(plain, fc.constantFrom(0, 2), (document, indent) => {
      const text = JSON.stringify(document, null, indent)
      const lines = text.split('\n')
      walk(document, [], (path, value) => {
        const found = locate(text, path, 'value')
        const rest = lines
          .slice((found?.line ?? 0) - 1)
          .join('\n')
          .slice((found?.column ?? 0) - 1)
        const first = JSON.stringify(value)
        expect(found?.depth).toBe(path.length)
        if (typeof value === 'object' && value !== null) expect(rest[0]).toBe(first[0])
        else expect(rest.startsWith(first)).toBe(true)
      })
    }),
  )
})

test('no source text is too broken to be looked at', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '(',
    '"',
    "'",
    '`',
    '${',
    '/',
    '\\',
    ':',
    ',',
    'a',
    'export default ',
    '\n',
    '=',
    '//',
    '/*',
    'é',
    '😀',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const found = locate(pieces.join(''), ['a', 0, 'a'], 'value')
      expect(found === null || found.line > 0).toBe(true)
    }),
  )
})

test('an import is found by its specifier', () => {
  const source = `// './ports.ts'\nimport { port } from './ports.ts'\nconst x = './other'\nawait import('./later.ts')`
  expect(locateImport(source, './ports.ts')).toEqual({ line: 2, column: 22 })
  expect(locateImport(source, './later.ts')).toEqual({ line: 4, column: 14 })
  expect(locateImport(source, './other')).toBeNull()
})

describe('what is wrong in JSON is said with its place', () => {
  test.each([
    ['', '1:1', 'the file is empty'],
    ['{\n  "a": 1,\n}', '2:9', 'a comma stands before "}"'],
    ['{ // no\n}', '1:3', 'JSON has no comments'],
    ['{ a: 1 }', '1:3', 'a key in double quotes is missing here'],
    ["{ 'a': 1 }", '1:3', 'a key in double quotes is missing here'],
    ["[ 'a' ]", '1:3', 'a string is written in single quotes'],
    ['{ "a" 1 }', '1:7', '":" is missing here'],
    ['{ "a": 1 "b": 2 }', '1:10', '"," or "}" is missing here'],
    ['{ "a": }', '1:8', 'a value is missing here'],
    ['{ "a": "x', '1:8', 'a string is not closed, or holds a raw line end or an unknown escape'],
    ['{ "a": 01 }', '1:8', 'a value is missing here'],
    ['{ "services": { "a": ', '1:22', 'the file ends in the middle'],
    ['{} {}', '1:4', 'something follows the end of the document'],
  ])('%j', (text, place, message) => {
    const result = parseJson(text)
    if (result.ok) throw new Error('it was accepted')
    const { line, column } = positionAt(text, result.offset)
    expect([result.message, `${line}:${column}`]).toEqual([message, place])
  })
})

test('JSON is accepted exactly where JSON.parse() accepts it, and a flaw lies within the text', () => {
  const cut = fc
    .tuple(json, fc.nat(), fc.constantFrom('', ',', '}', '"', 'x', '\u0001'))
    .map(([value, where, more]) => {
      const text = JSON.stringify(value)
      const at = where % (text.length + 1)
      return text.slice(0, at) + more + text.slice(at + (where % 3))
    })
  fc.assert(
    fc.property(cut, (text) => {
      const result = parseJson(text)
      if (result.ok) expect(result.value).toEqual(JSON.parse(text))
      else {
        expect(() => JSON.parse(text)).toThrow(SyntaxError)
        expect(result.offset).toBeLessThanOrEqual(text.length)
        // Had the second look found nothing wrong, it would say that something follows the end.
        if (result.message.startsWith('something')) expect(result.offset).toBeLessThan(text.length)
      }
    }),
    { numRuns: 500 },
  )
})

test('a byte order mark is no error', () => {
  expect(parseJson('\uFEFF{"a":1}')).toEqual({ ok: true, value: { a: 1 } })
})
