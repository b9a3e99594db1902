import { isAbsolute } from 'node:path'
import picomatch from 'picomatch'
import type { Path } from './locate.ts'
import type { Report } from './problems.ts'

/** The globs of `watch`, null for none. What is wrong with them is reported. */
export function resolveWatch(
  watch: string | string[] | false | undefined,
  path: Path,
  report: Report,
): string[] | null {
  const globs = watch === undefined || watch === false ? [] : typeof watch === 'string' ? [watch] : watch
  for (const [index, glob] of globs.entries()) {
    const problem = globProblem(glob)
    if (problem) report({ path: typeof watch === 'string' ? path : [...path, index], ...problem })
  }
  if (globs.length === 0) return null
  if (globs.every((glob) => glob.startsWith('!'))) {
    report({
      path,
      message: 'only leaves files out, so that nothing is watched',
      hint: 'add what to watch: "**"',
    })
  }
  return globs
}

function globProblem(glob: string): { message: string; hint: string | null } | null {
  const pattern = glob.startsWith('!') ? glob.slice(1) : glob
  if (pattern === '') return { message: 'an empty glob', hint: 'write "src/**", for instance' }
  if (pattern.includes('\0')) return { message: 'a glob cannot hold a NUL', hint: null }
  if (isAbsolute(pattern)) {
    return {
      message: `the glob ${JSON.stringify(glob)} is absolute`,
      hint: "globs are relative to the service's cwd",
    }
  }
  const open = unclosed(pattern)
  if (open !== null) {
    return {
      message: `bad glob ${JSON.stringify(glob)}: "${open}" is not closed`,
      hint: `write "\\\\${open}" for the character itself`,
    }
  }
  try {
    picomatch(pattern)
    return null
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { message: `bad glob ${JSON.stringify(glob)}: ${error.message}`, hint: null }
  }
}

/** picomatch takes an open bracket for itself, and the glob never matches what was meant. */
function unclosed(pattern: string): string | null {
  const pairs: Record<string, string> = { '{': '}', '(': ')', '[': ']' }
  const open: string[] = []
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    const inClass = open.at(-1) === '['
    if (char === '\\') at += 1
    else if (inClass ? char === ']' : char === pairs[open.at(-1) ?? '']) open.pop()
    else if (!inClass && char in pairs) open.push(char)
  }
  return open[0] ?? null
}
