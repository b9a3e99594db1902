/** `start`, `stop`, `restart`, `sleep`. */
import { ok, type Result, type ServiceVerb } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine } from '../io.ts'
import { formatOutcome } from '../print/service.ts'
import { withProgress } from '../progress.ts'
import { findTargets, type Target } from '../project.ts'

const SUMMARIES: Record<ServiceVerb, string> = {
  start: 'Start services now, without waiting for a connection; stopped ones hold their ports again.',
  stop: 'End services and release their ports, until start or up.',
  restart:
    'Swap services for a new generation of themselves, or start what is held. No connection is refused.',
  sleep: 'End services and keep their ports: the next connection starts them.',
}

const names = (targets: Target[]): string => targets.map(({ service }) => service.name).join(', ')

const isVerb = (name: string): name is ServiceVerb => Object.hasOwn(SUMMARIES, name)

export const define = (name: string): Definition => ({
  name,
  operands: '[service...]',
  summary: isVerb(name) ? SUMMARIES[name] : '',
  examples: [
    [`${name} api`, 'one service of this project'],
    [name, 'all of them'],
    [`${name} shop/api`, 'a service of another project'],
  ],
})

export async function run({ name, options, operands, io }: Call): Promise<Result<number>> {
  if (!isVerb(name)) throw new Error(`no verb: ${name}`)
  const client = new Client(locateFolders(io.env))
  const status = await client.status()
  if (!status.ok) return status
  const targets = findTargets(status.value, operands, options, io)
  if (!targets.ok) return targets
  // All are asked, whatever becomes of one; the first failure is the answer.
  const asking = Promise.all(targets.value.map(({ service }) => client.verb(service.id, name)))
  const outcomes = await withProgress(io, `${name} ${names(targets.value)}`, asking)
  for (const outcome of outcomes) {
    if (!outcome.ok) continue
    if (options.json) printJson(io.stdout, outcome.value)
    else printLine(io.stdout, formatOutcome(outcome.value.service, io.paint))
  }
  return outcomes.find((outcome) => !outcome.ok) ?? ok(0)
}
