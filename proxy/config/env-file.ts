import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { type Path, positionAt } from './locate.ts'
import type { Report } from './problems.ts'
import { readText } from './read-text.ts'

export type ParsedEnvFile =
  | { ok: true; values: Record<string, string> }
  | { ok: false; message: string; hint: string | null; offset: number }

/** Space and comments; one entry, its value quoted (over several lines, if need be) or up to the end of the line. */
const BLANK = /(?:\s|#[^\n]*)*/y
const ENTRY =
  /(?:export[ \t]+)?[A-Za-z_][\w.-]*[ \t]*=[ \t]*(?:"[^"]*"[^\n]*|'[^']*'[^\n]*|`[^`]*`[^\n]*|[^\n]*)/y

/**
 * Reads a dotenv file as node's own `--env-file` does. That one passes over what it does not understand; here
 * it is an error, for a variable that is silently missing is found last.
 */
export function parseEnvFile(text: string): ParsedEnvFile {
  const nul = text.indexOf('\0')
  if (nul >= 0) return { ok: false, message: 'is no text file', hint: null, offset: nul }
  for (let at = 0; ; ) {
    BLANK.lastIndex = at
    BLANK.exec(text)
    at = BLANK.lastIndex
    if (at >= text.length) break
    ENTRY.lastIndex = at
    if (!ENTRY.test(text)) {
      return {
        ok: false,
        message: 'is neither NAME=value nor a comment',
        hint: 'a comment begins with "#"',
        offset: at,
      }
    }
    at = ENTRY.lastIndex
  }
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(parseEnv(text))) if (value !== undefined) values[name] = value
  return { ok: true, values }
}

/** Reads the files of `envFile`, later ones over earlier ones. What cannot be read is reported. */
export async function readEnvFiles(
  written: string | string[] | undefined,
  cwd: string,
  path: Path,
  report: Report,
): Promise<{ values: Record<string, string>; files: string[] }> {
  const names = written === undefined ? [] : typeof written === 'string' ? [written] : written
  const files = names.map((name) => resolve(cwd, name))
  const values: Record<string, string> = {}
  for (const [index, file] of files.entries()) {
    const at: Path = typeof written === 'string' ? [...path, 'envFile'] : [...path, 'envFile', index]
    const text = await readText(file)
    if (!text.ok) {
      report({
        path: at,
        message: `cannot read ${file}: ${text.reason}`,
        hint: "it is relative to the service's cwd",
      })
      continue
    }
    const parsed = parseEnvFile(text.text)
    if (parsed.ok) Object.assign(values, parsed.values)
    else {
      const { message, hint, offset } = parsed
      const place = positionAt(text.text, offset)
      report({
        path: at,
        message: `line ${place.line} of ${names[index]} ${message}`,
        hint,
        place: { file, ...place },
      })
    }
  }
  return { values, files }
}
