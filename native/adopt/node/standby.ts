/** How a process that was booted ahead of its save waits, and what it loads meanwhile. Read by a Node of any age. */

/** EX_TEMPFAIL of sysexits.h: the daemon starts another one, and takes it for no failure of the code. */
const TRY_AGAIN = 75

/**
 * Waits here until the holder calls it. The first process of a generation alone has these variables. Who may not
 * wait, or has lost its holder, must not run: it could read what is old by the time it serves.
 */
export function standBy(fd: number): void {
  const { env } = process
  const packages: string[] = JSON.parse(env.DEVSOCK_AHEAD || '[]')
  delete env.DEVSOCK_STANDBY
  delete env.DEVSOCK_AHEAD
  const { closeSync, readSync, writeSync } = require('node:fs') as typeof import('node:fs')
  try {
    const before = states(loadAhead(packages))
    writeSync(fd, 'w')
    if (readSync(fd, Buffer.alloc(1)) === 1) {
      closeSync(fd)
      if ([...before].every(([path, state]) => stateOf(path) === state)) return
      process.exit(TRY_AGAIN)
    }
  } catch (_) {
    // It is not the first: the descriptor is no more.
  }
  process.exit(1)
}

/** As the program will ask for them. The files that were read for it. */
function loadAhead(packages: string[]): string[] {
  if (packages.length === 0) return []
  const { createRequire } = require('node:module') as typeof import('node:module')
  const load = createRequire(process.argv[1] || `${process.cwd()}/`)
  for (const name of packages) {
    try {
      load(name)
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n')[0] : error
      process.stderr.write(`devsock: standby: ${name} is not loaded ahead: ${why}\n`)
    }
  }
  const modules = Object.keys(load.cache)
  // What a package is resolved by.
  const folders = modules.map((path) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+\//.exec(path))
  return [...modules, ...folders.flatMap((found) => (found ? [`${found[0]}package.json`] : []))]
}

const states = (paths: string[]) => new Map(paths.map((path) => [path, stateOf(path)]))

function stateOf(path: string): string {
  const { statSync } = require('node:fs') as typeof import('node:fs')
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.ino} ${stat.mtimeMs} ${stat.size}` : ''
}
