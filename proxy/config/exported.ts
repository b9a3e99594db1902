import type { Path } from './locate.ts'

interface Flaw {
  message: string
  hint: string | null
  path: Path
}

/** What a module exports as its configuration, or why that is none. */
export type Exported = { ok: true; value: object } | { ok: false; flaw: Flaw }

const HINT = 'write: export default defineConfig({ services: { … } })'

/** The default export, as long as JSON can hold it: what it cannot hold is named, not dropped. */
export async function exportedValue(module: unknown): Promise<Exported> {
  const flaw = (message: string, path: Path = [], hint: string | null = HINT): Exported => ({
    ok: false,
    flaw: { message, hint, path },
  })
  if (typeof module !== 'object' || module === null || !('default' in module)) {
    return flaw('it has no default export')
  }
  const value: unknown = await module.default
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return flaw(`its default export is ${kindOf(value)}, not an object`)
  }
  const foreign = foreignValue(value, [], new Set())
  return foreign === null ? { ok: true, value } : flaw(foreign.message, foreign.path, foreign.hint)
}

/** The first value within that JSON cannot hold. */
function foreignValue(value: unknown, path: Path, above: ReadonlySet<object>): Flaw | null {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean')
    return null
  if (typeof value === 'number' && Number.isFinite(value)) return null
  if (value instanceof RegExp) {
    return {
      message: 'a regular expression is written as text here',
      hint: `write ${JSON.stringify(value.source)}`,
      path,
    }
  }
  if (typeof value !== 'object' || !isPlain(value)) {
    return { message: `cannot be ${kindOf(value)}`, hint: 'a configuration is plain data', path }
  }
  if (above.has(value))
    return { message: 'an object that contains itself', hint: 'a configuration is plain data', path }
  const within = new Set([...above, value])
  for (const [key, inner] of Object.entries(value)) {
    const found = foreignValue(inner, [...path, Array.isArray(value) ? Number(key) : key], within)
    if (found !== null) return found
  }
  return null
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || prototype === Object.prototype
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== 'Object' ? `a ${name}` : 'an object'
}
