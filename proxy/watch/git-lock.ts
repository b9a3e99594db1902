import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** A lock that git has left behind must not hold up saves for ever. */
const STALE_MS = 10_000

/**
 * Whether git is changing the working tree of `repository`: from before the first file to after the last one it
 * has an empty index.lock. (`git commit -a` has one with content while its editor is open, and changes nothing.)
 */
export function isGitWriting(repository: string): boolean {
  try {
    const lock = statSync(join(gitFolder(repository), 'index.lock'), { throwIfNoEntry: false })
    return lock !== undefined && lock.size === 0 && Date.now() - lock.mtimeMs < STALE_MS
  } catch (error) {
    // It went, or is not ours to read.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return false
  }
}

/** In a linked worktree `.git` is a file that names it (gitrepository-layout(5)). */
function gitFolder(repository: string): string {
  const path = join(repository, '.git')
  if (!statSync(path).isFile()) return path
  return resolve(repository, /^gitdir: (.*)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '.git')
}
