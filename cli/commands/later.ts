/** Commands that have a name already, so that nobody takes it for something else. */
import { fail, type Result } from '../../proxy/protocol.ts'
import type { Call, Definition } from '../command.ts'

const SUMMARIES: Record<string, string> = {
  import: "Read other tools' configurations.",
  export: 'Write units for systemd or launchd.',
  activate: 'Run one program behind a socket, without a configuration.',
  fd: "The holder's store of descriptors.",
  completion: 'Completion for a shell.',
}

export const define = (name: string): Definition => ({
  name,
  operands: '[arguments...]',
  summary: `${SUMMARIES[name] ?? ''} Not in this version.`,
  examples: [[name, 'not in this version']],
  lenient: true,
})

export const run = async ({ name }: Call): Promise<Result<number>> =>
  fail('not-in-this-version', `devsock ${name} is not in this version.`)
