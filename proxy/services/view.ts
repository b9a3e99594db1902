import type { Handover, ServiceState, ServiceStatus, SocketStatus } from '../protocol.ts'
import type { Generation, Service } from './state.ts'

/** What the machine's state is called where people see it. */
export function visibleState({ front }: Service): ServiceState {
  switch (front.kind) {
    case 'stopped':
    case 'held':
    case 'failed':
    case 'stopping':
      return front.kind
    case 'binding':
      return 'starting'
    case 'ready':
      return front.reloading ? 'swapping' : 'ready'
    case 'conflict':
      return front.external ? 'external' : 'conflict'
    case 'starting':
      return front.generation.replaces === null ? 'starting' : 'swapping'
    case 'overlap':
      return 'swapping'
    case 'clearing':
      if (front.plan.do === 'rest') return 'stopping'
      if (front.plan.do === 'fail') return 'failed'
      return front.plan.replaces === null ? 'starting' : 'swapping'
  }
}

/** The generation that people mean: the one that serves, or the one that starts. */
export function currentGeneration({ front }: Service): Generation | null {
  if (front.kind === 'overlap') return front.current
  return front.kind === 'starting' || front.kind === 'ready' ? front.generation : null
}

/** What can only be measured: it changes without an event of the machine. */
export interface Measured {
  sockets: SocketStatus[]
  memory: number | null
  /** Percent of one core. */
  cpu: number | null
  lastConnectionAt: number | null
  idleAt: number | null
  debugger: boolean
  handover: Handover
}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())

export function serviceStatus(id: string, name: string, service: Service, measured: Measured): ServiceStatus {
  const current = currentGeneration(service)
  return {
    id,
    name,
    mode: 'listen',
    state: visibleState(service),
    desired: service.desired,
    generation: current?.number ?? service.number,
    pid: current?.pid ?? null,
    reason: service.reason,
    handover: current === null || measured.sockets.length === 0 ? null : measured.handover,
    sockets: measured.sockets,
    ...service.counters,
    memory: measured.memory,
    cpu: measured.cpu,
    readyAt: current === null ? null : iso(service.readyAt),
    lastConnectionAt: iso(measured.lastConnectionAt),
    idleAt: iso(measured.idleAt),
    debugger: measured.debugger,
    lastSwap: service.lastSwap,
    lastExit: service.lastExit,
  }
}
