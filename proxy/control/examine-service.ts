import { factsOf } from '../config/detect.ts'
import { readFolder } from '../config/folder.ts'
import { recognise } from '../config/recognise.ts'
import type { PortListing, ServiceStatus } from '../protocol.ts'
import type { Context } from '../services/context.ts'
import { portElsewhere } from '../services/elsewhere.ts'
import { programOf } from '../services/executable.ts'
import type { Member } from '../services/member.ts'
import { type Check, fine, wrong } from './checks.ts'

/** How a service came by its socket; if it did not, why, and what to do. */
export async function examineService(
  context: Context,
  member: Member,
  listings: readonly PortListing[],
): Promise<Check> {
  const { unit } = member
  const status = member.status()
  const { name, state, handover, sockets, reason } = status
  if (state === 'conflict') return wrong(name, reason.message, reason.hint ?? 'devsock up asks what to do')
  const failed = state === 'failed'
  if (sockets.length === 0)
    return failed
      ? wrong(name, reason.message, reason.hint ?? `devsock logs ${name}`)
      : fine(name, `${state}, no socket`)
  if (handover === null && state !== 'held') {
    const elsewhere = await portElsewhere(unit, unit.leaders.values(), listings)
    const held = sockets.map(({ port, address }) => port ?? address).join(', ')
    if (elsewhere !== null) {
      const hint = `listen: { address: ${sockets[0]?.port}, binds: ${elsewhere} }, or listen: ${elsewhere}`
      return wrong(name, `listens on ${elsewhere}, devsock holds ${held} for it`, hint)
    }
    if (failed) {
      const why = whyNotAdopted(context, member, status)
      if (why !== null) return wrong(name, `${reason.message}; ${why.message}`, why.hint)
      return wrong(name, reason.message, reason.hint ?? `it never bound ${held}: devsock logs ${name}`)
    }
  }
  if (failed) return wrong(name, reason.message, reason.hint ?? `devsock logs ${name}`)
  const next = member.runner.state.standby?.pid
  const waits = next ? `; the next process waits (pid ${next})` : ''
  return fine(name, `${state}, ${how(handover)}${waits}`, await whatSurprises(unit.service))
}

/** About its framework, where one is known. */
async function whatSurprises({ command, cwd }: Member['unit']['service']): Promise<string | null> {
  const { framework } = recognise(command, factsOf(await readFolder(cwd))) ?? {}
  return framework?.quirks ? `${framework.name}: ${framework.quirks}` : null
}

/** What of its configuration or environment kept a service from being adopted; null: nothing did. */
function whyNotAdopted(
  { adopter }: Context,
  { unit }: Member,
  { generation }: ServiceStatus,
): { message: string; hint: string } | null {
  const { adopt, argv, cwd } = unit.service
  const takesFd = 'have it listen on fd 3 (LISTEN_FDS)'
  if (adopt === false)
    return { message: 'adopt is false, and it did not take fd 3', hint: `remove adopt: false, or ${takesFd}` }
  const environment = unit.environment(generation)
  const env = environment.ok ? environment.value : {}
  if (env.DEVSOCK === '0')
    return { message: 'DEVSOCK=0 in its environment turns adoption off', hint: `unset it, or ${takesFd}` }
  const { nature } = programOf({ argv, cwd, path: env.PATH })
  if (adopt === 'preload' && nature === 'kernel') {
    const hint = 'remove adopt: "preload": the holder answers the bind() of such programs'
    return { message: 'it is static, or Go: no library stands before its bind()', hint }
  }
  if (adopter.library === null && nature !== 'kernel' && adopt !== 'kernel') {
    const hint = 'set DEVSOCK_STATE_DIR to a path without a space or a colon'
    return { message: 'the library cannot be preloaded from its folder', hint }
  }
  return null
}

function how(handover: string | null): string {
  if (handover === 'preload') return 'adopted: its bind() got the held socket'
  if (handover === 'kernel')
    return 'adopted by the kernel: the holder answered its bind(); sudo and setuid programs gain nothing below it'
  if (handover === 'inherited') return 'took the socket at fd 3'
  return handover ?? 'how it takes its socket shows when it runs'
}
