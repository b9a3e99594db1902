import { readFileSync, writeSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import * as define from './define.ts'
import { exportedValue } from './exported.ts'
import { locateImport, type Path, type Position } from './locate.ts'

/**
 * A program: `node evaluate.js FILE…` runs configurations written in TypeScript or JavaScript and writes one
 * JSON document, an {@link Evaluation}, to descriptor 3. It runs in a process of its own, with the
 * environment and the folder of the user's `up`: what a configuration prints, changes, leaves open or
 * breaks stays in here.
 */
export interface Evaluation {
  v: 1
  files: Evaluated[]
}

export type Evaluated =
  /** `imports`: the project's own files that this one was made of. */
  { file: string; ok: true; value: unknown; imports: string[] } | { file: string; ok: false; flaw: Flaw }

export interface Flaw extends Partial<Position> {
  message: string
  hint: string | null
  /** Where it happened: the configuration, or what it imports. */
  file: string
  /** The value that is meant, for the reader to find its place. */
  path?: Path
}

const OUTPUT = 3

async function evaluate(file: string): Promise<Evaluated> {
  const jiti = createJiti(pathToFileURL(file).href, {
    // Nothing is written into somebody's project.
    fsCache: false,
    sourceMaps: true,
    interopDefault: false,
    // It works in projects where the package is not installed, and with a version other than this one.
    virtualModules: { devsock: define },
  })
  const before = new Set(Object.keys(jiti.cache))
  const loaded = (): string[] =>
    Object.keys(jiti.cache).filter((path) => isAbsolute(path) && !before.has(path))
  try {
    const exported = await exportedValue(await jiti.import(file))
    if (!exported.ok) return { file, ok: false, flaw: { ...exported.flaw, file } }
    const imports = loaded().filter((path) => path !== file && !/[\\/]node_modules[\\/]/.test(path))
    return { file, ok: true, value: exported.value, imports }
  } catch (error) {
    return { file, ok: false, flaw: explain(error, file, new Set([file, ...loaded()])) }
  }
}

/** What was thrown while a configuration was loaded, in words for the person who wrote it. */
function explain(error: unknown, file: string, loaded: ReadonlySet<string>): Flaw {
  if (!(error instanceof Error)) return { message: `it threw ${String(error)}`, hint: null, file }
  // jiti: "ParseError: Unexpected token, expected ","  \n /dir/devsock.config.ts:4:32"
  const syntax = /^(?:ParseError|SyntaxError): ([\s\S]*?)\s*\n\s*(\S.*):(\d+):(\d+)\s*$/.exec(error.message)
  if (syntax) {
    const [, message = '', at = file, line, column] = syntax
    return {
      message: `syntax error: ${message}`,
      hint: null,
      file: at,
      line: Number(line),
      // Babel counts them from 0.
      column: Number(column) + 1,
    }
  }
  const missing = /^Cannot find (?:module|package) '([^']+)'/.exec(error.message)
  if (missing?.[1] !== undefined) return missingImport(missing[1], error, file)
  return {
    message: `it threw ${error.name}: ${error.message}`,
    hint: null,
    ...(thrownAt(error, loaded) ?? { file }),
  }
}

function missingImport(specifier: string, error: Error, file: string): Flaw {
  const [importer] = 'requireStack' in error && Array.isArray(error.requireStack) ? error.requireStack : []
  const at = typeof importer === 'string' ? importer : file
  const place = locateImport(readFileSync(at, 'utf8'), specifier) ?? {}
  const relative = specifier.startsWith('.') || isAbsolute(specifier)
  const hint = relative ? 'check the path of the import' : `install it: npm i -D ${specifier}`
  return { message: `cannot find ${JSON.stringify(specifier)}`, hint, file: at, ...place }
}

/** The topmost frame of the stack that is in a file of the project. */
function thrownAt(error: Error, loaded: ReadonlySet<string>): (Pick<Flaw, 'file'> & Position) | null {
  for (const frame of error.stack?.split('\n') ?? []) {
    const [, url, line, column] =
      /(?:^\s*at |\()(?:async )?((?:file:\/\/)?\/.*):(\d+):(\d+)\)?$/.exec(frame) ?? []
    if (url === undefined) continue
    const file = url.startsWith('file:') ? fileURLToPath(url) : url
    if (loaded.has(file)) return { file, line: Number(line), column: Number(column) }
  }
  return null
}

// Frames name lines of the TypeScript source, not of what it was compiled to.
process.setSourceMapsEnabled(true)

const evaluated: Evaluated[] = []
for (const file of process.argv.slice(2)) evaluated.push(await evaluate(file))
const document: Evaluation = { v: 1, files: evaluated }
writeAll(Buffer.from(JSON.stringify(document)))
// Timers and sockets that a configuration left open do not keep it waiting.
process.exit(0)

function writeAll(data: Buffer): void {
  for (let at = 0; at < data.length; ) at += writeSync(OUTPUT, data, at)
}
