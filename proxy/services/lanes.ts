import { LANES, type Service, type Standby } from './state.ts'

/** Lanes that a generation has, or that wait for one; who stands by accepts nothing yet. */
export function lanesInUse({ front, leaving }: Service): Set<number> {
  const used = new Set(leaving.map((each) => each.lane))
  if ('lane' in front) used.add(front.lane)
  if ('generation' in front) used.add(front.generation.lane)
  if (front.kind === 'overlap') used.add(front.current.lane).add(front.next.lane)
  return used
}

/** The lane that the next generation would have; null where one has to be cleared for it. */
export function successor(service: Service): number | null {
  const { standby } = service
  return standby && isCallable(standby, service) ? standby.lane : freeLane(service)
}

/** It was started with what is the latest. */
export const isCallable = ({ revision }: Standby, { policy }: Service): boolean =>
  revision === policy.revision

/** The lowest that nobody has; null while every one has somebody who is leaving. */
export function freeLane(service: Service, except: number | null = null): number | null {
  const used = lanesInUse(service)
  if (service.standby) used.add(service.standby.lane)
  for (let lane = 0; lane < LANES; lane += 1) if (!used.has(lane) && lane !== except) return lane
  return null
}
