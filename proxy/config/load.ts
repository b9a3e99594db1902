import { basename, extname } from 'node:path'
import { fail, ok, type Problem, type Result } from '../protocol.ts'
import type { Flaw } from './evaluate.ts'
import { evaluateFiles } from './evaluator.ts'
import { findConfiguration } from './find.ts'
import { parseJson } from './json.ts'
import { positionAt } from './locate.ts'
import { full, merge } from './merge.ts'
import { placed, type Source } from './problems.ts'
import { readText } from './read-text.ts'
import { resolveProject } from './resolve.ts'
import type { ResolvedProject } from './types.ts'
import { validate, validateLocal } from './validate.ts'

export interface LoadOptions {
  /** Folder of the user's `up`. */
  dir: string
  /** The configuration that the user named; null: the nearest one. */
  config: string | null
  /** Environment of the user's `up`. */
  env: Readonly<Record<string, string>>
  signal?: AbortSignal
}

/**
 * Finds, evaluates, validates, merges and resolves the configuration for a folder. All that is wrong comes at
 * once, each problem with its place, in a failure `configuration-invalid`, or `not-in-this-version` if there is
 * nothing else; `configuration-missing` if there is none.
 */
export async function loadProject(options: LoadOptions): Promise<Result<ResolvedProject>> {
  const found = await findConfiguration(options.dir, options.config)
  if (!found.ok) return found
  const { dir, file, local } = found.value
  const files = local === null ? [file] : [file, local]
  const read = await readDocuments(files, options)
  if (!read.ok) return read
  const { documents, sources, problems } = read.value

  const [main, over] = documents
  const checked = main ? validate(main.value) : null
  const checkedLocal = over ? validateLocal(over.value) : null
  // A shape is wrong in the file that has it; what is resolved later comes from both.
  const shapes = sources.flatMap((source) => {
    const result = source.file === file ? checked : checkedLocal
    return result && !result.ok ? placed(result.complaints, [source]) : []
  })
  if (!checked?.ok || shapes.length > 0 || problems.length > 0)
    return invalid([...problems, ...shapes], files)

  const written = checkedLocal?.ok ? merge(checked.value, checkedLocal.value) : full(checked.value)
  const imports = documents.flatMap((document) => document?.imports ?? [])
  const resolved = await resolveProject(written, {
    dir,
    config: file,
    files: [...files.slice(1), ...imports],
    env: options.env,
  })
  if (resolved.ok) return ok(resolved.project)
  const later = resolved.complaints.every((complaint) => complaint.later)
  return invalid(placed(resolved.complaints, sources), files, later)
}

interface Document {
  value: unknown
  imports: string[]
}

interface Read {
  /** In the order of the files; null for one that could not be read. */
  documents: (Document | null)[]
  sources: Source[]
  problems: Problem[]
}

async function readDocuments(files: readonly string[], options: LoadOptions): Promise<Result<Read>> {
  const sources: Source[] = []
  for (const file of files) {
    const text = await readText(file)
    if (!text.ok) return fail('configuration-invalid', `cannot read ${file}: ${text.reason}`, null)
    sources.push({ file, text: text.text, root: basename(file) === 'package.json' ? ['devsock'] : [] })
  }
  const programs = files.filter((file) => extname(file) !== '.json')
  const { env, dir: cwd, signal } = options
  const evaluated = programs.length > 0 ? await evaluateFiles(programs, { cwd, env, signal }) : ok([])
  if (!evaluated.ok) return atFile(evaluated, programs)

  const problems: Problem[] = []
  const documents = sources.map((source): Document | null => {
    const result = evaluated.value.find(({ file }) => file === source.file)
    if (result?.ok) return { value: result.value, imports: result.imports }
    if (result) {
      problems.push(flawProblem(result.flaw, source))
      return null
    }
    const parsed = parseJson(source.text)
    if (parsed.ok) return { value: within(parsed.value, source), imports: [] }
    const { message, hint, offset } = parsed
    problems.push({ message, hint, file: source.file, ...positionAt(source.text, offset), path: '' })
    return null
  })
  return ok({ documents, sources, problems })
}

function within(value: unknown, source: Source): unknown {
  return source.root.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}

function flawProblem(flaw: Flaw, source: Source): Problem {
  const { message, hint, file, line = null, column = null, path } = flaw
  if (path !== undefined) {
    const [problem] = placed([{ path, message, hint }], [source])
    if (problem) return problem
  }
  return { message, hint, file, line, column, path: '' }
}

/** A process that failed as a whole failed with all its files; the first one is shown. */
function atFile(result: Result<never>, files: readonly string[]): Result<never> {
  if (result.ok || result.failure.code !== 'configuration-invalid') return result
  const { message, hint } = result.failure
  return invalid([{ message, hint, file: files[0] ?? null, line: null, column: null, path: '' }], files)
}

function invalid(problems: Problem[], files: readonly string[], later = false): Result<never> {
  const names = files.map((file) => basename(file)).join(' and ')
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  const code = later ? 'not-in-this-version' : 'configuration-invalid'
  return fail(code, `${names}: ${count}`, null, { problems })
}
