import type { Reason, ReasonCode } from '../protocol.ts'
import type { Cause, Policy } from './state.ts'

/** Sentences for people about why a service is as it is. */
export const reason = (code: ReasonCode, message: string, hint: string | null = null): Reason => ({
  code,
  message,
  hint,
})

/** What a cause is called: "first connection", "src/app.js", "restart requested". */
export function causeText(cause: Cause): string {
  switch (cause.code) {
    case 'first-connection':
      return 'first connection'
    case 'changed':
      return cause.detail
    case 'requested':
      return `${cause.detail} requested`
    case 'configuration':
      return 'configuration changed'
    case 'retry':
      return 'retry'
    default:
      return cause.code
  }
}

export function exitText(code: number | null, signal: string | null): string {
  if (signal !== null) return `killed by ${signal}`
  return code === null ? 'ended, its exit status is not known' : `exit ${code}`
}

/** What a failed service waits for. */
export function waitsFor(policy: Policy, retryMs: number | null): string {
  if (retryMs !== null) return retryMs === 0 ? 'tries again' : `tries again in ${retryMs} ms`
  return policy.watch === null
    ? 'waits for `devsock start`'
    : `waits for a change in ${policy.watch.join(', ')}`
}

/** What an exit status says by itself: a shell's own are 126 and 127 (POSIX.1-2024, 2.8.2). */
export function exitHint(code: number | null): string | null {
  if (code === 127) return 'the shell did not find the command: is it installed, is the path right?'
  if (code === 126) return 'the shell found the command but may not execute it: chmod +x?'
  return null
}
