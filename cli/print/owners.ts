import type { PortOwner } from '../../proxy/protocol.ts'
import { formatPath } from './paths.ts'
import { sanitizeLine } from './sanitize.ts'
import { type Column, formatTable } from './table.ts'

const COLUMNS: Column[] = [
  { title: 'PID' },
  { title: 'COMMAND', least: 12 },
  { title: 'CWD', least: 6 },
  { title: 'USER', least: 4 },
]

/** Whoever has a port, a line each, to fit `width`; each once, whatever has it open twice. */
export function formatOwners(owners: PortOwner[], width: number): string[] {
  const each = new Map(owners.map((owner) => [owner.pid, owner]))
  const safe = (text: string): string => sanitizeLine(text.replaceAll('\n', ' '), { colours: false }).trim()
  const rows = [...each.values()].map(({ pid, command, cwd, user }) => [
    `${pid}`,
    safe(command),
    cwd === null ? '-' : safe(formatPath(cwd)),
    safe(user),
  ])
  return formatTable(COLUMNS, rows, width - 4).map((line) => `    ${line}`)
}
