import { statfsSync, statSync } from 'node:fs'
import { EXIT, ok, type ProjectStatus, type Result } from '../../proxy/protocol.ts'
import type { Check } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders, prepareFolders } from '../folders.ts'
import { type Io, printJson, printLine, widthOf } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { formatPath } from '../print/paths.ts'
import { sanitizeLine } from '../print/sanitize.ts'
import { formatTable } from '../print/table.ts'
import { withProgress } from '../progress.ts'
import { findProject } from '../project.ts'

/** Of package.json's `engines`. */
const LEAST_NODE = [20, 19] as const

/** Bytes; state is saved before anything is done, and on a full disk nothing can be. */
const ENOUGH_DISK = 200_000_000

export const define = (): Definition => ({
  name: 'doctor',
  operands: '',
  summary: 'Look for what keeps devsock from working here. Exit code 1 if something does.',
  examples: [
    ['doctor', 'this machine, and how each service of this project takes its socket'],
    ['doctor --json', 'the same as a document'],
  ],
})

export async function run({ options, io }: Call): Promise<Result<number>> {
  const checks = [checkNode(), ...checkFolders(io)]
  const asked = await withProgress(io, 'examining this machine', askDaemon(options, io))
  checks.push(...asked.checks)
  const isFine = checks.every((check) => check.ok)
  if (options.json) printJson(io.stdout, { v: 1, ok: isFine, project: asked.project?.id ?? null, checks })
  else for (const line of formatChecks(checks, asked.project, io)) printLine(io.stdout, line)
  return ok(isFine ? EXIT.ok : EXIT.failed)
}

/** A daemon that cannot be started, or does not know the question, is one of the findings. */
async function askDaemon(
  options: Call['options'],
  io: Io,
): Promise<{ checks: Check[]; project: ProjectStatus | null }> {
  const client = await ensureDaemon(io)
  if (!client.ok) return { checks: [toCheck(client.failure)], project: null }
  const status = await client.value.status()
  if (!status.ok) return { checks: [toCheck(status.failure)], project: null }
  const project = findProject(status.value, options, io)
  const reply = await client.value.doctor(project?.id ?? null)
  return { checks: reply.ok ? reply.value.checks : [toCheck(reply.failure)], project }
}

const toCheck = ({ message, hint }: { message: string; hint: string | null }): Check => ({
  name: 'daemon',
  ok: false,
  message,
  hint,
})

function checkNode(): Check {
  const { node } = process.versions
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const isFine = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])
  const hint = isFine ? null : `devsock needs Node ${LEAST_NODE.join('.')} or newer`
  return { name: 'node', ok: isFine, message: `Node ${node}`, hint }
}

function checkFolders({ env }: Io): Check[] {
  const prepared = prepareFolders(locateFolders(env))
  if (!prepared.ok) {
    const { message, hint } = prepared.failure
    return [{ name: 'folders', ok: false, message, hint }]
  }
  const { state } = prepared.value
  const mode = (statSync(state).mode & 0o777).toString(8)
  const owned = `${formatPath(state)} is yours alone (0${mode})`
  return [{ name: 'folders', ok: true, message: owned, hint: null }, checkDisk(state)]
}

function checkDisk(folder: string): Check {
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  const hint = free >= ENOUGH_DISK ? null : `free some space on the disk of ${formatPath(folder)}`
  return {
    name: 'disk',
    ok: hint === null,
    message: `${Math.floor(free / 1e6)} MB free for logs and state`,
    hint,
  }
}

function formatChecks(checks: Check[], project: ProjectStatus | null, io: Io): string[] {
  const rows = checks.map(({ name, ok: isFine, message }) => [
    { text: isFine ? '✓' : '✗', paint: (text: string) => io.paint(isFine ? 'green' : 'red', text) },
    sanitizeLine(name, { colours: false }),
    sanitizeLine(message, { colours: false }),
  ])
  const columns = [{ title: '' }, { title: '' }, { title: '', least: 20 }]
  const lines = formatTable(columns, rows, widthOf(io.stdout)).slice(1)
  const described = lines.flatMap((line, index) => {
    const hint = checks[index]?.hint
    return hint ? [line, `   → ${sanitizeLine(hint, { colours: false })}`] : [line]
  })
  const where = project === null ? ['No project of this folder is up: its services are not looked at.'] : []
  return [...described, ...where]
}
