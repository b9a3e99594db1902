// Completes dist/runtime, the folder that devsock copies and runs: beside the bundles that Vite wrote it
// puts the addon, the holder and jiti, and then a manifest with the version and a hash over all of it.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const runtime = join(root, 'dist/runtime')
const platform = `${process.platform}-${process.arch}`

/** What jiti needs at run time, out of 1.8 MB with its command line and types. */
const JITI = ['package.json', 'LICENSE', 'lib/jiti.mjs', 'lib/jiti.cjs', 'dist']

for (const name of ['devsock.node', 'devsock-holder', 'devsock-adopt.so']) {
  const from = join(root, 'prebuilds', platform, name)
  if (!existsSync(from)) {
    console.error(`assemble: prebuilds/${platform}/${name} is not there. Build it: npm run build:native`)
    process.exit(1)
  }
  cpSync(from, join(runtime, name))
}
const jiti = dirname(fileURLToPath(import.meta.resolve('jiti/package.json')))
for (const name of JITI)
  cpSync(join(jiti, name), join(runtime, 'node_modules/jiti', name), { recursive: true })

// Where it is copied to, some package.json further up may say commonjs.
writeFileSync(join(runtime, 'package.json'), '{ "type": "module" }\n')

const hash = createHash('sha256')
const files = readdirSync(runtime, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== 'manifest.json')
  .map((entry) => relative(runtime, join(entry.parentPath, entry.name)))
  .sort()
for (const name of files) {
  const path = join(runtime, name)
  const content = readFileSync(path)
  // Lengths keep two different folders from reading as the same bytes; a lost x bit is a different folder.
  hash.update(`${name}\0${statSync(path).mode & 0o111}\0${content.length}\0`).update(content)
}
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const manifest = { version, hash: hash.digest('hex') }
writeFileSync(join(runtime, 'manifest.json'), `${JSON.stringify(manifest)}\n`)
console.log(`dist/runtime: ${files.length} files, devsock ${version} ${manifest.hash.slice(0, 8)}`)
