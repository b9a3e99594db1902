import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SwapPolicy } from '../protocol.ts'
import { resolveCommand } from './command.ts'
import { factsOf } from './detect.ts'
import { milliseconds } from './duration.ts'
import { readEnvFiles } from './env-file.ts'
import { absent } from './find.ts'
import { readFolder } from './folder.ts'
import { reportLater } from './later.ts'
import type { Path } from './locate.ts'
import type { FullListen, FullService } from './merge.ts'
import { packageScript } from './package-script.ts'
import type { Report } from './problems.ts'
import { resolveReady } from './ready.ts'
import { recognise } from './recognise.ts'
import { shellArguments } from './shell-command.ts'
import { resolveSockets } from './sockets.ts'
import { resolveStandby } from './standby.ts'
import type { ResolvedService } from './types.ts'
import { resolveWatch } from './watch-globs.ts'

const DRAIN_MS = 5_000
const STOP_MS = 5_000
const RETRY = { limit: 5, within: 10_000, delay: 500 }

export interface ResolvedWithFiles {
  service: ResolvedService
  /** Files that it was made of, besides the configuration. */
  files: string[]
}

/** One service with its defaults; null if something is wrong, which is then reported. */
export async function resolveService(
  name: string,
  written: FullService,
  { dir, env: shell }: { dir: string; env: Readonly<Record<string, string>> },
  report: Report,
): Promise<ResolvedWithFiles | null> {
  const path: Path = ['services', name]
  let sound = true
  const complain: Report = (complaint) => {
    sound = false
    report(complaint)
  }
  reportLater(written, path, complain)
  const cwd = await resolveCwd(written.cwd, dir, path, complain)
  const command = resolveCommand(written.command, path, complain)
  const script =
    typeof written.command === 'string'
      ? await packageScript(written.command, cwd, shell, (message, hint) =>
          complain({ path: [...path, 'command'], message, hint }),
        )
      : null
  const detected =
    written.listen === undefined && command !== null ? await detect(command.text, cwd, path, complain) : null
  const listen = written.listen ?? detected?.listen ?? false
  const sockets = resolveSockets(listen, [...path, 'listen'], cwd, complain)
  const worker = listen === false
  if (!worker && sockets.length === 0 && Array.isArray(listen) && listen.length === 0) {
    complain({
      path: [...path, 'listen'],
      message: 'an empty list',
      hint: 'write false for a service without a socket',
    })
  }
  const watch = resolveWatch(written.watch, [...path, 'watch'], complain)
  const ready = resolveReady(written, worker, path, complain)
  const envFile = await readEnvFiles(written.envFile, cwd, path, complain)
  const env = resolveEnv(written.env ?? {}, path, complain)
  if (worker && written.start === 'on-demand') {
    complain({
      path: [...path, 'start'],
      message: 'without a socket nothing can ask for it',
      hint: 'write "eager" or "manual", or give it an address in `listen`',
    })
  }
  resolveReload(written, path, complain)
  if (!sound || command === null) return null
  const started = {
    argv: script === null ? command.argv : shellArguments(script.line),
    sockets,
    adopt: written.adopt ?? true,
    reload: written.reload ?? null,
  }
  const service: ResolvedService = {
    ...started,
    name,
    script: script && { path: script.path, env: script.env },
    command: command.text,
    start: written.start ?? (worker ? 'eager' : 'on-demand'),
    watch,
    swap: written.swap ?? detected?.swap ?? 'hold',
    ready,
    drainMs: milliseconds(written.drain, DRAIN_MS),
    stop: {
      signal: written.stop?.signal ?? 'SIGTERM',
      timeoutMs: milliseconds(written.stop?.timeout, STOP_MS),
    },
    idleMs: written.idle === undefined || written.idle === false ? null : milliseconds(written.idle, 0),
    retry: {
      limit: written.retry?.limit ?? RETRY.limit,
      withinMs: milliseconds(written.retry?.within, RETRY.within),
      delayMs: milliseconds(written.retry?.delay, RETRY.delay),
    },
    cwd,
    env,
    envFile: envFile.values,
    onConflict: written.onConflict ?? 'ask',
    standby: resolveStandby(written.standby, started, path, complain),
    mode: written.mode ?? 'listen',
  }
  return { service, files: [...envFile.files, ...(detected?.files ?? []), ...(script?.files ?? [])] }
}

async function resolveCwd(
  written: string | undefined,
  dir: string,
  path: Path,
  report: Report,
): Promise<string> {
  const cwd = resolve(dir, written ?? '.')
  const info = cwd.includes('\0') ? null : await stat(cwd).catch(absent)
  if (!info?.isDirectory()) {
    const message = info ? `${cwd} is no folder` : `there is no folder ${cwd}`
    report({ path: [...path, 'cwd'], message, hint: 'it is relative to the configuration' })
  }
  return cwd
}

/** Of a service without `listen`: where its framework always listens, and how it can be swapped. */
async function detect(
  command: string,
  cwd: string,
  path: Path,
  report: Report,
): Promise<{ listen: FullListen; swap?: SwapPolicy | undefined; files: string[] } | null> {
  const folder = await readFolder(cwd)
  const recognised = recognise(command, factsOf(folder))
  const files = [...folder.contents.keys()].map((file) => resolve(cwd, file))
  if (recognised?.port)
    return { listen: { address: recognised.port }, swap: recognised.framework.swap, files }
  report({
    path: [...path, 'listen'],
    message: recognised
      ? `is missing, and ${recognised.framework.name} has no usual port`
      : `is missing, and no framework is known that ${JSON.stringify(command)} starts`,
    hint: 'write its port, listen: 3000, or listen: false for a worker',
  })
  return null
}

/** Signals that ask a program to end, or end it. */
const ENDING: ReadonlySet<string> = new Set(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGKILL'])

function resolveReload({ reload, watch }: FullService, service: Path, report: Report): void {
  const path: Path = [...service, 'reload']
  if (reload === undefined) return
  if (ENDING.has(reload)) {
    const hint = 'servers reload at SIGHUP, SIGUSR1 or SIGUSR2; without `reload` a change swaps it'
    report({ path, message: `${reload} ends a program`, hint })
  } else if (watch === undefined || watch === false) {
    report({ path, message: 'nothing is watched that could send it', hint: 'name its files in `watch`' })
  }
}

function resolveEnv(
  written: { [name: string]: string | number | boolean },
  path: Path,
  report: Report,
): Record<string, string> {
  for (const [name, value] of Object.entries(written)) {
    const at: Path = [...path, 'env', name]
    if (name === '' || /[=\0]/.test(name)) {
      report({ path: at, message: `${JSON.stringify(name)} is no name of a variable`, hint: null, at: 'key' })
    } else if (String(value).includes('\0'))
      report({ path: at, message: 'a variable cannot hold a NUL', hint: null })
  }
  return Object.fromEntries(Object.entries(written).map(([name, value]) => [name, String(value)]))
}
