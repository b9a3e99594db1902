import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { absent } from './find.ts'
import { parseJson } from './json.ts'
import { nameFrom } from './names.ts'

/** How a project is called. */
export interface Identity {
  name: string
  /** The name; in a linked git worktree `name@folder`, so that worktrees run side by side. */
  id: string
}

/** `named`: the name in the configuration; else that of package.json, else the folder's. */
export async function identityOf(dir: string, named: string | undefined): Promise<Identity> {
  const name = named ?? nameFrom((await packageName(dir)) ?? basename(dir))
  const worktree = await linkedWorktree(dir)
  return { name, id: worktree === null ? name : `${name}@${nameFrom(basename(worktree))}` }
}

async function packageName(dir: string): Promise<string | null> {
  const text = await readFile(join(dir, 'package.json'), 'utf8').catch(absent)
  const manifest = text === null ? null : parseJson(text)
  // A broken package.json is for npm to report; the folder has a name too.
  if (!manifest?.ok || typeof manifest.value !== 'object' || manifest.value === null) return null
  const { name } = manifest.value as { name?: unknown }
  return typeof name === 'string' && name !== '' ? name : null
}

/**
 * The top folder of the linked git worktree that `dir` is in, null if it is in none. There `.git` is a file
 * that names `…/worktrees/NAME` (gitrepository-layout(5)); a submodule's names `…/modules/NAME`.
 */
async function linkedWorktree(dir: string): Promise<string | null> {
  for (let folder = dir; ; folder = dirname(folder)) {
    const git = join(folder, '.git')
    const info = await stat(git).catch(absent)
    if (info?.isFile()) {
      const text = await readFile(git, 'utf8').catch(absent)
      return /^gitdir:.*[\\/]worktrees[\\/][^\\/]+\s*$/m.test(text ?? '') ? folder : null
    }
    if (info !== null || dirname(folder) === folder) return null
  }
}
