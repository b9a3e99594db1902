import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Folder, MANIFESTS } from './detect.ts'
import { absent } from './find.ts'

/** Reads what tells the kind of a project: the names of its files, one folder deep, and its manifests. */
export async function readFolder(dir: string): Promise<Folder> {
  const files = new Set<string>()
  for (const entry of (await readdir(dir, { withFileTypes: true }).catch(absent)) ?? []) {
    if (entry.isFile()) files.add(entry.name)
    if (!entry.isDirectory() || entry.name === 'node_modules' || entry.name.startsWith('.')) continue
    for (const name of (await readdir(join(dir, entry.name)).catch(absent)) ?? [])
      files.add(`${entry.name}/${name}`)
  }
  const contents = new Map<string, string>()
  for (const name of MANIFESTS) {
    const text = files.has(name) ? await readFile(join(dir, name), 'utf8').catch(absent) : null
    if (text !== null) contents.set(name, text)
  }
  return { files, contents }
}
