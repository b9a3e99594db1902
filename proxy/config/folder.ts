import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { entryOf, type Folder, factsOf, MANIFESTS } from './detect.ts'
import { absent } from './find.ts'
import { followScripts } from './recognise.ts'

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

/** Reads the sources that the folder's scripts start as well: they say which port they listen on. */
export async function readSources(dir: string, folder: Folder): Promise<Folder> {
  const { scripts } = factsOf(folder)
  const contents = new Map(folder.contents)
  for (const script of Object.values(scripts)) {
    const entry = entryOf(followScripts(script, scripts))
    if (entry === null || !folder.files.has(entry) || contents.has(entry)) continue
    const text = await readFile(join(dir, entry), 'utf8').catch(absent)
    if (text !== null) contents.set(entry, text)
  }
  return { files: folder.files, contents }
}
