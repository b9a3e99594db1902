/** A first configuration: what was found in the folder, shown, and written if it is wanted. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import { confirm } from './ask.ts'
import type { Client, ProposeReply } from './client.ts'
import { type Io, printLine, widthOf } from './io.ts'
import { formatPath } from './print/paths.ts'
import { sanitizeLine } from './print/sanitize.ts'
import { formatTable } from './print/table.ts'

export type Proposed = ProposeReply & { file: NonNullable<ProposeReply['file']> }

/** What could be written here; `configuration-missing` where no server is known. */
export async function findProposal(client: Client, io: Pick<Io, 'cwd'>): Promise<Result<Proposed>> {
  const reply = await client.propose(io.cwd)
  if (!reply.ok) return reply
  const { file } = reply.value
  if (file !== null) return ok({ ...reply.value, file })
  return fail(
    'configuration-missing',
    `No server is known in ${formatPath(io.cwd)}: no script or file that one is started by.`,
    "Write devsock.config.ts:  export default { services: { web: { command: 'node server.js', listen: 3000 } } }",
  )
}

/** `  api  npm run dev:api  Express  http://localhost:3001  watch src/**` */
export function formatProposal({ services }: ProposeReply, { stdout }: Pick<Io, 'stdout'>): string[] {
  const rows = services.map(({ name, command, framework, port, watch }) =>
    [
      `  ${name}`,
      command,
      framework,
      `http://localhost:${port}`,
      watch ? `watch ${watch.join(' ')}` : '',
    ].map((text) => sanitizeLine(text, { colours: false })),
  )
  const columns = [
    { title: '' },
    { title: '', least: 8 },
    { title: '' },
    { title: '' },
    { title: '', least: 8 },
  ]
  return formatTable(columns, rows, widthOf(stdout)).slice(1)
}

/** Shows it and asks; false: the person said no. */
export async function offer(proposed: Proposed, io: Io): Promise<boolean> {
  const from = proposed.file.name.endsWith('.json') ? 'this folder' : 'package.json'
  printLine(io.stdout, `No configuration here. Found in ${from}:`)
  for (const line of formatProposal(proposed, io)) printLine(io.stdout, line)
  return confirm(io, `Write ${proposed.file.name} and start?`, true)
}

/** Writes the file, never over another. */
export function writeConfiguration({ dir, file }: Proposed): Result<null> {
  const path = join(dir, file.name)
  try {
    writeFileSync(path, file.content, { flag: 'wx' })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'EEXIST') return fail('usage', `${formatPath(path)} is there already.`, 'devsock check')
    return fail(
      'folder-unsafe',
      `Cannot write ${formatPath(path)}: ${message}.`,
      'Make its folder writable for you.',
    )
  }
  return ok(null)
}

export const wrote = ({ file }: Proposed, { paint }: Pick<Io, 'paint'>): string =>
  `${paint('green', '✓')} wrote ${file.name}`
