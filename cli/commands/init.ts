import { realpathSync } from 'node:fs'
import { fail, ok, type Result } from '../../proxy/protocol.ts'
import type { Call, Definition } from '../command.ts'
import { findProposal, formatProposal, offer, writeConfiguration, wrote } from '../configuration-offer.ts'
import { printJson, printLine } from '../io.ts'
import { ensureDaemon } from '../launch.ts'
import { formatPath } from '../print/paths.ts'
import { locateProject } from '../project.ts'

interface Options {
  yes?: boolean
}

export const define = (): Definition => ({
  name: 'init',
  operands: '',
  summary: 'Write a configuration from what the project is: its scripts, packages and files.',
  examples: [
    ['init', 'shows what was found, asks, writes, and starts'],
    ['init --yes', 'writes without asking, and starts nothing'],
    ['init --json', 'what would be written, as a document'],
  ],
  options: { yes: { short: 'y', does: 'write without asking' } },
})

export async function run(call: Call<Options>): Promise<Result<number>> {
  const { options, io } = call
  const existing = locateProject({}, io)
  // One further up is another project's, as in a monorepo: a folder in it may have its own.
  if (existing.ok && existing.value.dir === realpathSync(io.cwd)) {
    const message = `${formatPath(io.cwd)} has a configuration already.`
    return fail('usage', message, 'devsock check looks whether it is right.')
  }
  const client = await ensureDaemon(io)
  if (!client.ok) return client
  const proposed = await findProposal(client.value, io)
  if (!proposed.ok) return proposed
  if (io.interactive && !options.yes) {
    if (!(await offer(proposed.value, io))) return ok(0)
    const written = writeConfiguration(proposed.value)
    if (!written.ok) return written
    printLine(io.stdout, wrote(proposed.value, io))
    const up = await import('./up.ts')
    return up.run({ name: 'up', options: {}, operands: [], io })
  }
  if (options.yes) {
    const written = writeConfiguration(proposed.value)
    if (!written.ok) return written
  }
  if (options.json) {
    printJson(io.stdout, proposed.value)
    return ok(0)
  }
  if (options.yes) printLine(io.stdout, wrote(proposed.value, io))
  for (const line of formatProposal(proposed.value, io)) printLine(io.stdout, line)
  if (options.yes) {
    printLine(io.stdout, 'devsock up starts it.')
    return ok(0)
  }
  const { name, content } = proposed.value.file
  printLine(io.stdout, `\n${name} would be:\n\n${content}`)
  return fail('input-needed', 'Nothing was written: there is nobody to ask.', 'devsock init --yes')
}
