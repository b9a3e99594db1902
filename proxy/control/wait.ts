import { fail, ok, type Result, type ServiceStatus } from '../protocol.ts'
import type { Member } from '../services/member.ts'
import type { Service } from '../services/state.ts'
import { visibleState } from '../services/view.ts'

export interface WaitOptions {
  for: 'ready' | 'held'
  timeoutMs: number
  /** Take in changes saved before the call. */
  sweep: boolean
}

/** Waits until a service is ready, starting what is held; or until its sockets are held. */
export async function waitFor(
  member: Member,
  options: WaitOptions,
): Promise<Result<{ service: ServiceStatus }>> {
  const { runner, unit } = member
  const over = AbortSignal.timeout(options.timeoutMs)
  if (options.sweep) await member.sweep()
  const { kind } = runner.state.front
  if (options.for === 'ready') {
    if (kind === 'stopped') return fail('not-up', `${unit.id} is stopped`, `devsock start ${unit.name}`)
    if (kind === 'held') runner.tell({ type: 'start' })
  }
  const settled = options.for === 'held' ? isBound : isDecided
  try {
    await runner.until(settled, over)
  } catch (error) {
    if (!over.aborted) throw error
    const { reason } = runner.state
    const seconds = `${options.timeoutMs / 1000} s`
    const message = `${unit.id} is not ${options.for} after ${seconds}: ${visibleState(runner.state)}, ${reason.message}`
    return fail('timeout', message, reason.hint ?? `see: devsock logs ${unit.name}`)
  }
  // Ready means that the next connection is served by it.
  await runner.performed()
  const { front, reason } = runner.state
  if (front.kind === 'conflict' && !front.external) {
    const code = reason.code === 'port-taken' ? 'port-taken' : 'bind-failed'
    return fail(code, `${unit.id}: ${reason.message}`, reason.hint)
  }
  if (options.for === 'ready' && front.kind !== 'ready' && front.kind !== 'conflict') {
    return fail(
      'service-failed',
      `${unit.id} failed: ${reason.message}`,
      reason.hint ?? `see: devsock logs ${unit.name}`,
    )
  }
  return ok({ service: member.status() })
}

const isBound = ({ front }: Service): boolean => front.kind !== 'binding' && front.kind !== 'stopping'

/** A failure that will be tried again by itself is not the end yet. */
function isDecided({ front }: Service): boolean {
  switch (front.kind) {
    case 'stopped':
    case 'conflict':
      return true
    case 'ready':
      return front.reloading === undefined
    case 'failed':
      return front.failed.retryAt === null
    default:
      return false
  }
}
