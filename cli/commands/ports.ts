import { ok, type PortListing, type Result } from '../../proxy/protocol.ts'
import type { Call, Definition } from '../command.ts'
import { printJson, printLine, widthOf } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { parsePorts } from '../port-operands.ts'
import type { Paint } from '../print/paint.ts'
import { formatPath } from '../print/paths.ts'
import { sanitizeLine } from '../print/sanitize.ts'
import { type Cell, formatTable } from '../print/table.ts'
import { withProgress } from '../progress.ts'

export const define = (): Definition => ({
  name: 'ports',
  operands: '[port...]',
  summary: 'Every listening port of this machine, and whose it is.',
  examples: [
    ['ports', 'all of them'],
    ['ports 3000 8080', 'who has these?'],
    ['ports --json', 'one document for programs'],
  ],
})

const COLUMNS = [
  { title: 'PORT' },
  { title: 'ADDRESS', least: 9, drop: 2 },
  { title: 'PID' },
  { title: 'COMMAND', least: 12 },
  { title: 'CWD', least: 8, drop: 3 },
  { title: 'USER', least: 6, drop: 4 },
  { title: 'SERVICE', least: 8, drop: 1 },
]

export async function run({ options, operands, io }: Call): Promise<Result<number>> {
  const wanted = parsePorts(operands)
  if (!wanted.ok) return wanted
  const client = await withProgress(io, 'starting devsock', ensureDaemon(io))
  if (!client.ok) return client
  const reply = await withProgress(io, 'looking who listens', client.value.ports())
  if (!reply.ok) return reply
  const ports = reply.value.ports.filter(
    ({ port }) => wanted.value.length === 0 || wanted.value.includes(port),
  )
  if (options.json) {
    printJson(io.stdout, { ...reply.value, ports })
    return ok(0)
  }
  if (ports.length === 0) {
    printLine(
      io.stdout,
      operands.length > 0 ? `Nobody listens on ${operands.join(', ')}.` : 'Nobody listens.',
    )
    return ok(0)
  }
  const rows = ports
    .toSorted((a, b) => a.port - b.port)
    .flatMap((listing) => formatListing(listing, io.paint))
  const [titles = '', ...lines] = formatTable(COLUMNS, rows, widthOf(io.stdout))
  for (const line of [io.paint('dim', titles), ...lines]) printLine(io.stdout, line)
  return ok(0)
}

/** A row for each process that has the socket open; one without a process where it cannot be seen. */
function formatListing(
  { port, protocol, address, owners, service }: PortListing,
  paint: Paint,
): (string | Cell)[][] {
  const place = [protocol === 'udp' ? `udp:${port}` : String(port), address]
  // What is devsock's own stands out of what is not.
  const own: Cell = { text: service ?? '', paint: (text) => paint('cyan', text) }
  if (owners.length === 0) return [[...place, '-', '-', '-', '-', own]]
  return owners.map(({ pid, command, cwd, user }) => {
    const safe = [command, cwd === null ? '-' : formatPath(cwd), user].map((text) =>
      sanitizeLine(text, { colours: false }),
    )
    return [...place, String(pid), ...safe, own]
  })
}
