import { parseAddress } from './address.ts'
import type { SocketConfig } from './define.ts'
import type { Path } from './locate.ts'
import { type FullListen, isSocket } from './merge.ts'
import { NAME_HINT, nameProblem } from './names.ts'
import type { Report } from './problems.ts'
import type { ResolvedSocket } from './types.ts'

/** listen(2)'s limit is net.core.somaxconn, 4096 by default since Linux 5.4. */
const DEFAULT_BACKLOG = 4096
const DEFAULT_UNIX_MODE = 0o600

/** A socket as written, with its name and where it is written. */
interface Declared {
  name: string
  config: SocketConfig
  path: Path
}

/** Resolves what `listen` says. What is wrong is reported, and left out. */
export function resolveSockets(
  listen: FullListen,
  path: Path,
  cwd: string,
  report: Report,
): ResolvedSocket[] {
  const sockets: ResolvedSocket[] = []
  const seen = new Set<string>()
  for (const { name, config, path: at } of declared(listen, path)) {
    const problem = nameProblem(name)
    if (problem !== null) report({ path: at, message: problem, hint: NAME_HINT, at: 'key' })
    else if (seen.has(name)) {
      report({
        path: at,
        message: `there are two sockets ${JSON.stringify(name)}`,
        hint: 'give one another name',
      })
    }
    seen.add(name)
    const socket = resolveSocket(name, config, at, cwd, report)
    if (socket && problem === null) sockets.push(socket)
  }
  return sockets
}

function declared(listen: FullListen, path: Path): Declared[] {
  if (listen === false) return []
  if (Array.isArray(listen)) {
    return listen.map((config, index) => ({
      name: config.name ?? (index === 0 ? 'http' : `http-${index + 1}`),
      config,
      path: [...path, index],
    }))
  }
  if (isSocket(listen)) return [{ name: listen.name ?? 'http', config: listen, path }]
  return Object.entries(listen).map(([name, config]) => ({
    name: config.name ?? name,
    config,
    path: [...path, name],
  }))
}

function resolveSocket(
  name: string,
  config: SocketConfig,
  path: Path,
  cwd: string,
  report: Report,
): ResolvedSocket | null {
  const mode =
    typeof config.mode === 'string' ? Number.parseInt(config.mode.replace(/^0o/, ''), 8) : config.mode
  const parsed = parseAddress(config.address, cwd, mode ?? DEFAULT_UNIX_MODE)
  if (!parsed.ok) {
    // `listen: 3000` was written out to `{ address: 3000 }`: people are told of what they wrote.
    const short = Object.keys(config).length === 1
    report({ path: short ? path : [...path, 'address'], message: parsed.message, hint: parsed.hint })
    return null
  }
  const unix = parsed.value.kind === 'unix'
  if (!unix && mode !== undefined) {
    report({
      path: [...path, 'mode'],
      message: 'only a Unix socket has permissions',
      hint: 'remove it',
      at: 'key',
    })
  }
  if (unix && config.binds !== undefined) {
    report({ path: [...path, 'binds'], message: 'a Unix socket has no port', hint: 'remove it', at: 'key' })
  }
  return {
    name,
    address: parsed.value,
    backlog: config.backlog ?? DEFAULT_BACKLOG,
    protocol: config.protocol ?? 'http',
    binds: config.binds ?? null,
  }
}
