import { homedir } from 'node:os'
import { relative, sep } from 'node:path'

/** A path as a person writes it: relative when it lies below `from`, else with `~` for the home folder. */
export function formatPath(path: string, from?: string, home: string = homedir()): string {
  if (from !== undefined) {
    const inside = relative(from, path)
    if (inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`)) return inside
  }
  if (path === home) return '~'
  return home !== '/' && path.startsWith(home + sep) ? `~${path.slice(home.length)}` : path
}
