/**
 * Names under which the holder knows things. The holder takes them as they are; their form is ours alone.
 *
 *   service     shop/api          (also the key of its armed spec)
 *   socket      shop/api/http
 *   generation  shop/api#3
 *   dashboard   the page's own socket; without a slash it can be no service's
 */
export const DASHBOARD_SOCKET = 'dashboard'

export const serviceId = (project: string, service: string): string => `${project}/${service}`

export const socketName = (service: string, socket: string): string => `${service}/${socket}`

export const generationId = (service: string, number: number): string => `${service}#${number}`

/** The service and number of a generation's id; null where it is none. */
export function parseGenerationId(id: string): { service: string; number: number } | null {
  const match = /^(.+)#(\d+)$/.exec(id)
  if (match?.[1] === undefined || match[2] === undefined) return null
  return { service: match[1], number: Number(match[2]) }
}
