import { successor } from './lanes.ts'
import { type Generation, MAX_LEAVING, ROOM_MS, type Service } from './state.ts'

/**
 * What must be going on while a service is in a state: begun when the state begins to call for it, ended when
 * it no longer does. Because it follows from the state alone, nothing is left over after a transition, and a
 * new daemon begins it all again from the saved state.
 */
export type Activity =
  | { kind: 'bind' }
  | { kind: 'await-port' }
  | { kind: 'release' }
  | { kind: 'arm'; number: number; lane: number; revision: number }
  | { kind: 'answer'; lane: number }
  | { kind: 'retry'; at: number }
  | { kind: 'spawn'; number: number; lane: number }
  | { kind: 'await-ready'; number: number; lane: number; standby: boolean }
  | { kind: 'calm'; number: number }
  | { kind: 'boot'; number: number; lane: number }
  | { kind: 'await-need'; number: number }
  | { kind: 'idle'; number: number; lane: number }
  | { kind: 'reload'; number: number; lane: number; signal: NodeJS.Signals; at: number }
  | { kind: 'pass' }
  | { kind: 'tripwire'; number: number; lane: number; revision: number }
  | { kind: 'drain'; number: number; lane: number; served: boolean }
  | { kind: 'terminate'; number: number }
  | { kind: 'kill'; number: number }
  | { kind: 'make-room'; number: number; at: number }

export function activities(service: Service): Activity[] {
  return [...frontActivities(service), ...service.leaving.map(leavingActivity), ...crowd(service)]
}

/** Too many are leaving: the oldest of them is not waited for any longer. */
function crowd({ leaving }: Service): Activity[] {
  const oldest = leaving.find(({ phase }) => phase !== 'killing')
  if (oldest === undefined || leaving.length <= MAX_LEAVING) return []
  return [{ kind: 'make-room', number: oldest.number, at: oldest.since + ROOM_MS }]
}

function leavingActivity({ number, lane, phase, served }: Service['leaving'][number]): Activity {
  switch (phase) {
    case 'draining':
      return { kind: 'drain', number, lane, served }
    case 'terminating':
      return { kind: 'terminate', number }
    case 'killing':
      return { kind: 'kill', number }
  }
}

function frontActivities(service: Service): Activity[] {
  const { front, policy } = service
  const next = service.number + 1
  switch (front.kind) {
    case 'stopped':
      return []
    case 'clearing':
      return booting(service)
    case 'binding':
      return [{ kind: 'bind' }]
    case 'conflict':
      return [{ kind: 'await-port' }]
    case 'held':
      if (!policy.sockets) return []
      if (policy.start === 'manual') return [{ kind: 'answer', lane: front.lane }]
      return [{ kind: 'arm', number: next, lane: front.lane, revision: policy.revision }]
    case 'starting':
      return starting(front.generation)
    case 'ready': {
      const { number, lane } = front.generation
      const pass: Activity[] = policy.sockets ? [{ kind: 'pass' }] : []
      if (front.reloading && policy.reload) {
        return [{ kind: 'reload', number, lane, signal: policy.reload, at: front.reloading.at }, ...pass]
      }
      const ahead = [...standby(service, number), ...tripwire(service, number)]
      return policy.sockets ? [{ kind: 'idle', number, lane }, ...pass, ...ahead] : ahead
    }
    case 'overlap':
      return [{ kind: 'pass' }, ...starting(front.next)]
    case 'failed': {
      const { answering, retryAt } = front.failed
      const wait: Activity[] = retryAt === null ? [] : [{ kind: 'retry', at: retryAt }]
      return answering && policy.sockets ? [...wait, { kind: 'answer', lane: front.lane }] : wait
    }
    case 'stopping':
      return service.leaving.length === 0 ? [{ kind: 'release' }] : []
  }
}

function starting({ number, lane, pid, standby = false }: Generation): Activity[] {
  if (pid !== null) return [{ kind: 'await-ready', number, lane, standby }]
  return [{ kind: standby ? 'boot' : 'spawn', number, lane }]
}

/** Beside a ready generation, when no other is left that would have to share its lanes and the processor. */
function standby({ policy, leaving, standby, standbyEnded }: Service, serving: number): Activity[] {
  // Without a watch nothing is expected to replace it.
  if (policy.standby === null || (policy.standby === 'lately' && policy.watch === null)) return []
  if (standby?.pid) return policy.standby === 'lately' ? [{ kind: 'await-need', number: standby.number }] : []
  if (standby) return booting({ standby })
  return leaving.length === 0 && standbyEnded !== serving ? [{ kind: 'calm', number: serving }] : []
}

const booting = ({ standby }: Pick<Service, 'standby'>): Activity[] =>
  standby && standby.pid === null ? [{ kind: 'boot', number: standby.number, lane: standby.lane }] : []

/** Where a save is to steer, before anybody has decided anything: there `saving` will steer to. */
function tripwire(service: Service, number: number): Activity[] {
  const { sockets, swap, watch, reload, revision } = service.policy
  if (!sockets || watch === null || swap === 'overlap' || reload) return []
  const lane = successor(service)
  return lane === null ? [] : [{ kind: 'tripwire', number, lane, revision }]
}
