import { fail, ok, type Result } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine } from '../io.ts'
import { formatOutcome } from '../print/service.ts'
import { parseDuration } from '../print/units.ts'
import { withProgress } from '../progress.ts'
import { findTargets, type Target } from '../project.ts'

interface Options {
  for: string
  timeout: string
}

export const define = (): Definition => ({
  name: 'wait',
  operands: '[service...]',
  summary: 'Until services are ready with everything that was saved before the call.',
  examples: [
    ['wait', 'start what is held, take in what was saved'],
    ['wait api --timeout 2m', 'exit code 124 when that runs out'],
    ['wait --for held', 'until the ports are held; starts nothing'],
  ],
  options: {
    for: { value: 'state', default: 'ready', does: 'ready or held' },
    timeout: { value: 'duration', default: '30s', does: 'how long: 500ms, 30s, 2m' },
  },
})

export async function run({ options, operands, io }: Call<Options>): Promise<Result<number>> {
  const timeout = parseDuration(options.timeout)
  if (!timeout.ok) return timeout
  if (options.for !== 'ready' && options.for !== 'held') {
    return fail('usage', `--for takes ready or held, not ${options.for}.`, 'devsock wait --help')
  }
  const client = new Client(locateFolders(io.env))
  const status = await client.status()
  if (!status.ok) return status
  const targets = findTargets(status.value, operands, options, io)
  if (!targets.ok) return targets
  // Without names: what is meant to serve. A stopped service is waited for only when asked.
  const wanted = targets.value.filter(({ service }) => operands.length > 0 || !isOut(service.state))
  const request = { for: options.for, timeoutMs: timeout.value } as const
  const waiting = Promise.all(wanted.map(({ service }) => client.wait(service.id, request)))
  const outcomes = await withProgress(io, `waiting for ${names(wanted)}`, waiting)
  for (const outcome of outcomes) {
    if (!outcome.ok) continue
    if (options.json) printJson(io.stdout, outcome.value)
    else printLine(io.stdout, formatOutcome(outcome.value.service, io.paint))
  }
  return outcomes.find((outcome) => !outcome.ok) ?? ok(0)
}

const names = (targets: Target[]): string => targets.map(({ service }) => service.name).join(', ')

const isOut = (state: string): boolean => state === 'stopped' || state === 'external'
