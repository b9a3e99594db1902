// Builds the native part: the holder and the addon into prebuilds/<platform>-<arch>/, or, with --sanitize, under
// AddressSanitizer and UndefinedBehaviorSanitizer into native/build-sanitize/ (DEVSOCK_NATIVE_DIR selects it in
// tests). Does nothing when both are newer than every source; --force builds anyway.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = dirname(fileURLToPath(import.meta.url))
const sanitize = process.argv.includes('--sanitize')
const force = process.argv.includes('--force')
const target = sanitize
  ? join(native, 'build-sanitize')
  : join(native, '..', 'prebuilds', `${process.platform}-${process.arch}`)

/** macOS has no holder, and so nobody to adopt for: AF_UNIX SOCK_SEQPACKET, epoll and pidfds are Linux's. */
const products =
  process.platform === 'linux' ? ['devsock.node', 'devsock-holder', 'devsock-adopt.so'] : ['devsock.node']
const sources = ['addon', 'adopt', 'common', 'holder']

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

function isFresh() {
  const inputs = sources
    .flatMap((folder) => readdirSync(join(native, folder)).map((name) => join(native, folder, name)))
    .concat(join(native, 'binding.gyp'), fileURLToPath(import.meta.url))
  const newest = Math.max(...inputs.map(modified))
  return products.every((name) => modified(join(target, name)) > newest)
}

const runs = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

function missingTools() {
  const compiler = process.env.CXX ?? 'g++'
  return ['python3', 'make', compiler].filter((command) => !runs(command))
}

/**
 * node-gyp builds into `build` beside the gyp file, after emptying it: each run has a folder of its own, with links
 * to the sources, so that two at a time do not meet.
 */
function makeGypFolder() {
  const folder = mkdtempSync(join(native, 'build-'))
  for (const name of [...sources, 'binding.gyp']) symlinkSync(join('..', name), join(folder, name))
  mkdirSync(join(folder, 'units'))
  for (const room of ['addon', 'holder']) writeUnits(folder, room)
  return folder
}

/**
 * The C++ of a room is compiled as two files that include all others: one by one takes three times as long, for the
 * standard library and N-API's headers are read, and their templates compiled, with each.
 */
function writeUnits(folder, room) {
  const elsewhere = process.platform === 'linux' ? '_darwin.cc' : '_linux.cc'
  const units = ['', '']
  const names = readdirSync(join(native, room)).filter(
    (name) => name.endsWith('.cc') && !name.endsWith(elsewhere),
  )
  for (const [index, name] of names.entries()) units[index % 2] += `#include "../${room}/${name}"\n`
  for (const [index, unit] of units.entries())
    writeFileSync(join(folder, 'units', `${room}-${index}.cc`), unit)
}

/** Node's own headers where it was installed with them; otherwise node-gyp downloads them once. */
function headers() {
  const prefix = dirname(dirname(process.execPath))
  const known =
    process.env.npm_config_nodedir ??
    (modified(join(prefix, 'include', 'node', 'node_api.h')) ? prefix : null)
  return known ? [`--nodedir=${known}`] : []
}

function build(folder) {
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  const args = [
    'rebuild',
    '--loglevel=warn',
    '--jobs=max',
    '-C',
    folder,
    ...headers(),
    ...(sanitize ? ['--', '-Dsanitize=1'] : []),
  ]
  const { status, signal } = spawnSync(process.execPath, [gyp, ...args], { stdio: 'inherit' })
  if (status !== 0) return `node-gyp ended with ${signal ?? `status ${status}`}`
  mkdirSync(target, { recursive: true })
  for (const name of products) {
    // Renamed into place: a holder that runs from there keeps its file, and nobody finds half of one.
    const whole = join(target, `.${name}.${process.pid}`)
    copyFileSync(join(folder, 'build', 'Release', name), whole)
    renameSync(whole, join(target, name))
  }
  return null
}

function main() {
  if (!force && isFresh()) return null
  const missing = missingTools()
  if (missing.length > 0) return `cannot build the native part: no ${missing.join(', ')} on PATH`
  const folder = makeGypFolder()
  try {
    return build(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const problem = main()
if (problem) {
  console.error(problem)
  process.exitCode = 1
}
