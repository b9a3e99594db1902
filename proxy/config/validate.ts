import type { z } from 'zod'
import type { DevsockConfig, DevsockLocalConfig } from './define.ts'
import type { Path } from './locate.ts'
import type { Complaint } from './problems.ts'
import { didYouMean } from './suggest.ts'
import { Written, WrittenLocal } from './written.ts'

export type Validated<T> = { ok: true; value: T } | { ok: false; complaints: Complaint[] }

/** Checks the shape of a whole configuration; all that is wrong at once. */
export function validate(document: unknown): Validated<DevsockConfig> {
  return check(Written, document)
}

/** The same for devsock.local.*, where nothing is required. */
export function validateLocal(document: unknown): Validated<DevsockLocalConfig> {
  return check(WrittenLocal, document)
}

function check<T>(schema: z.ZodType<T>, document: unknown): Validated<T> {
  const parsed = schema.safeParse(document)
  if (parsed.success) return { ok: true, value: parsed.data }
  const complaints = parsed.error.issues.flatMap((issue) => explain(issue, [], document, schema))
  return { ok: false, complaints }
}

type Issue = z.core.$ZodIssue

function explain(issue: Issue, above: Path, document: unknown, schema: z.ZodType): Complaint[] {
  const path: Path = [...above, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))]
  const value = valueAt(document, path)
  const complaint = (message: string, hint: string | null = null): Complaint[] => [{ path, message, hint }]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown key ${JSON.stringify(key)}`,
        hint: didYouMean(key, knownKeys(schema, path)) ?? `known here: ${knownKeys(schema, path).join(', ')}`,
        at: 'key',
      }))
    case 'invalid_union': {
      const branch = likeliest(issue.errors, value)
      if (branch) return branch.flatMap((inner) => explain(inner, path, document, schema))
      return complaint(value === undefined ? 'is missing' : `${issue.message}, not ${shown(value)}`)
    }
    case 'invalid_type':
      if (value === undefined) return complaint('is missing')
      return complaint(`must be ${article(issue.expected)}, not ${shown(value)}`)
    case 'invalid_value': {
      const allowed = issue.values.map((choice) => JSON.stringify(choice))
      const hint = typeof value === 'string' ? didYouMean(value, issue.values.map(String)) : null
      return complaint(`must be ${either(allowed)}, not ${shown(value)}`, hint)
    }
    default:
      return complaint(issue.message)
  }
}

/**
 * What a person meant where several forms are possible: those whose kind of value is another one are out; of
 * two kinds of object the first (a socket) if it has what only that one has. Null: none is meant.
 */
function likeliest(branches: readonly Issue[][], value: unknown): Issue[] | null {
  const otherKind = (issue: Issue): boolean =>
    issue.path.length === 0 &&
    (issue.code === 'invalid_type' ||
      (issue.code === 'invalid_union' && likeliest(issue.errors, value) === null))
  const possible = branches.filter((issues) => {
    const literal = issues.some(
      (issue) => issue.path.length === 0 && issue.code === 'invalid_value' && issue.values.length < 2,
    )
    return !literal && !issues.some(otherKind)
  })
  const lacksAddress = typeof value === 'object' && value !== null && !('address' in value)
  return (lacksAddress ? possible.at(-1) : possible[0]) ?? null
}

function valueAt(document: unknown, path: Path): unknown {
  let value = document
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = Reflect.get(value, step)
  }
  return value
}

/** Keys of the object schema at a path, through optionals, unions, records and lists. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  const { def } = schema as z.ZodType & { def: Definition }
  switch (def.type) {
    case 'optional':
      return knownKeys(def.innerType, path)
    case 'union':
      return def.options.flatMap((option) => knownKeys(option, path))
    case 'object': {
      const [step, ...rest] = path
      if (step === undefined) return Object.keys(def.shape)
      const inner = def.shape[step]
      return inner ? knownKeys(inner, rest) : []
    }
    case 'record':
      return path.length > 0 ? knownKeys(def.valueType, path.slice(1)) : []
    case 'array':
      return path.length > 0 ? knownKeys(def.element, path.slice(1)) : []
    default:
      return []
  }
}

/** The part of zod's definitions that {@link knownKeys} walks. */
type Definition =
  | { type: 'optional'; innerType: z.ZodType }
  | { type: 'union'; options: z.ZodType[] }
  | { type: 'object'; shape: Record<string, z.ZodType> }
  | { type: 'record'; valueType: z.ZodType }
  | { type: 'array'; element: z.ZodType }
  | { type: 'string' }

function article(kind: string): string {
  if (kind === 'record') return 'an object'
  if (kind === 'int') return 'a whole number'
  if (kind === 'array') return 'a list'
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`
}

/** A value in a message: short ones as they are, others by their kind. */
function shown(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= 40 ? text : `a ${typeof value}`
}

function either(choices: string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`
}
