// Keeps the directions of imports between the rooms (ARCHITECTURE.md, "The rooms"), types included, and
// finds cycles in the daemon. Prints file:line and the rule, and exits with 1, when one is broken.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** Rooms of the daemon: each may import those of lower rank, and itself. */
const RANKS = [['config', 'holder', 'logs', 'watch', 'ports'], ['modes'], ['services'], ['control'], ['main']]

const INK = /^(ink|react|@inkjs\/.*)(\/.*)?$/

/** `proxy/services/machine.ts` → `{ area: 'proxy', room: 'services' }`; the files of proxy/ itself are rooms too. */
function place(file) {
  const [area, room = ''] = file.split('/')
  return { area, room: room.replace(/\.\w+$/, '') }
}

const rank = (room) => RANKS.findIndex((rooms) => rooms.includes(room))

/** The rule that an import breaks, or null. `to` is a path of the checkout, or a package's name where `local` is false. */
function broken(from, to, { local, lazy = false, typeOnly = false }) {
  const source = place(from)
  if (!local) {
    if (INK.test(to) && !from.startsWith('cli/ui/') && source.area !== 'dashboard')
      return 'only cli/ui and dashboard load Ink or React'
    return null
  }
  if (from === 'proxy/protocol.ts') return 'protocol.ts imports nothing'
  if (source.area === 'test' || /\b(vite|vitest)\.config\.ts$/.test(from)) return null
  if (to === 'proxy/protocol.ts') return null
  const target = place(to)
  switch (source.area) {
    case 'native':
      return target.area === 'native' ? null : 'native imports only native'
    case 'cli':
      if (target.area !== 'cli')
        return 'cli imports only proxy/protocol.ts: it starts the daemon as a process'
      if (to.startsWith('cli/ui/') && !from.startsWith('cli/ui/') && !lazy && !typeOnly)
        return 'cli/ui is loaded by import() alone: other commands never pay for Ink'
      return null
    case 'dashboard':
      return target.area === 'dashboard' ? null : 'dashboard imports only proxy/protocol.ts'
    case 'proxy': {
      if (target.area === 'native') return null
      if (target.area !== 'proxy') return 'proxy imports only native and proxy'
      if (target.room === source.room) return null
      // What a project is, as `protocol.ts` is what travels: types, which every room of the daemon works on.
      if (to === 'proxy/config/types.ts') return null
      if (rank(source.room) < 0)
        return `proxy/${source.room} is no room of design: give it a rank in test/imports.mjs`
      return rank(target.room) < rank(source.room)
        ? null
        : `${source.room} may not import ${target.room}: ${RANKS.map((rooms) => rooms.join(', ')).join(' ← ')}`
    }
    default:
      return target.area === source.area ? null : `${source.area} imports only itself and packages`
  }
}

/** Every import and export-from of a source text, import() and type imports among them. */
function importsOf(text) {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => {
    const before = text.slice(0, pos)
    return {
      specifier: fileName,
      line: before.split('\n').length,
      lazy: /\bimport\s*\(\s*['"`]?$/.test(before),
      typeOnly: /\b(import|export)\s+type\b[^'"`;]*['"`]?$/.test(before),
    }
  })
}

/** One path around each cycle of `graph` (file → files), found depth first. */
function cycles(graph) {
  const found = []
  const done = new Set()
  const visit = (file, path) => {
    const at = path.indexOf(file)
    if (at >= 0) return found.push([...path.slice(at), file])
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return found
}

/** Of a checkout: how many files were looked at, and every rule that one breaks. */
export function check(root) {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.tsx'], {
    cwd: root,
  })
  const files = listed.toString().split('\n').filter(Boolean)
  const problems = []
  const graph = new Map()
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8')
    graph.set(file, [])
    for (const { specifier, line, lazy, typeOnly } of importsOf(text)) {
      const local = specifier.startsWith('.')
      const to = local ? relative(root, resolve(root, dirname(file), specifier)) : specifier
      // A type is erased: it makes no cycle of modules that wait for each other.
      if (local && file.startsWith('proxy/') && !typeOnly) graph.get(file).push(to)
      const rule = broken(file, to, { local, lazy, typeOnly })
      if (rule) problems.push(`${file}:${line}: ${specifier}: ${rule}`)
    }
    if (/\.node['"`]/.test(text) && !/^(native|test)\//.test(file))
      problems.push(`${file}: only native/index.ts loads a .node file`)
  }
  for (const cycle of cycles(graph)) problems.push(`${cycle[0]}:1: an import cycle: ${cycle.join(' → ')}`)
  return { files: files.length, problems }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { files, problems } = check(fileURLToPath(new URL('..', import.meta.url)))
  for (const problem of problems) console.error(problem)
  console.log(`imports: ${files} files, ${problems.length} rules broken`)
  if (problems.length > 0) process.exitCode = 1
}
