/** The script (native/adopt/node) by which a Node process moves its connections to the next generation. */
import { peculiarOption } from '../config/standby.ts'
import type { ResolvedService, ResolvedSocket } from '../config/types.ts'
import { type Adopter, describePorts } from './adoption.ts'

/** In NODE_OPTIONS, ours or that of an outer devsock. */
const OURS = /--require "[^"]*devsock-node\.cjs" ?/g

/** Node would end in a program that may not read files but its own (Permission Model). */
const RESTRICTED = /--(experimental-)?permission\b/

/** A generation's environment with the script in it, for whichever of its programs is Node's; NODE_OPTIONS of the user stay. */
export function withNodeScript(
  env: Record<string, string>,
  service: Pick<ResolvedService, 'adopt' | 'argv' | 'sockets'>,
  { nodeScript, holderSocket }: Adopter,
  port: (socket: ResolvedSocket) => number | null,
): Record<string, string> {
  const theirs = env.NODE_OPTIONS?.replace(OURS, '')
  const clean = theirs === undefined ? env : { ...env, NODE_OPTIONS: theirs }
  if (service.adopt === false || service.sockets.length === 0 || env.DEVSOCK === '0') return clean
  if (RESTRICTED.test([theirs, ...service.argv].join(' '))) return clean
  return {
    ...clean,
    DEVSOCK_ADOPT: describePorts(service, port),
    DEVSOCK_HOLDER: holderSocket,
    NODE_OPTIONS: `--require "${nodeScript.replace(/[\\"]/g, '\\$&')}" ${theirs ?? ''}`.trimEnd(),
  }
}

/** Why no process with this environment may be booted ahead: it would not wait, or have done something by then. */
export function hindersStandby({ NODE_OPTIONS = '' }: Record<string, string>): string | null {
  const theirs = NODE_OPTIONS.replace(OURS, '')
  if (theirs === NODE_OPTIONS) return 'the script that waits is not in its environment'
  const peculiar = peculiarOption(theirs.split(/\s+/).filter((option) => option !== ''))
  return peculiar && `NODE_OPTIONS has ${peculiar}`
}
