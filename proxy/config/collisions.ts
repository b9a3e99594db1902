import { overlap, printAddress } from './address.ts'
import { variableNames } from './environment.ts'
import type { Report } from './problems.ts'
import type { ResolvedService } from './types.ts'

/** Reports what services cannot share: an address, and the names of the variables that tell where they are. */
export function reportCollisions(services: readonly ResolvedService[], report: Report): void {
  const sockets = services.flatMap((service) =>
    service.sockets.map((socket) => ({ service: service.name, socket })),
  )
  for (const [index, { service, socket }] of sockets.entries()) {
    const other = sockets.slice(0, index).find((earlier) => overlap(earlier.socket.address, socket.address))
    if (!other) continue
    const address = printAddress(socket.address)
    const taken = printAddress(other.socket.address)
    const whose = other.service === service ? `its socket ${other.socket.name}` : other.service
    report({
      path: ['services', service, 'listen'],
      message:
        address === taken
          ? `${address} is ${whose}'s already`
          : `${address} overlaps with ${taken} of ${whose}`,
      hint: 'give one of them another port, or "auto"',
    })
  }
  reportVariables(services, report)
}

function reportVariables(services: readonly ResolvedService[], report: Report): void {
  const owners = new Map<string, { service: string; socket: string }>()
  for (const { name: service, sockets } of services) {
    for (const [index, { name: socket }] of sockets.entries()) {
      const names = variableNames(service, socket)
      const variables = index === 0 ? [names.url, names.port, names.socketPort] : [names.socketPort]
      const taken = variables.find((variable) => owners.has(variable))
      const owner = taken === undefined ? undefined : owners.get(taken)
      for (const variable of variables) if (!owners.has(variable)) owners.set(variable, { service, socket })
      if (!owner) continue
      const what =
        owner.service === service
          ? `its sockets ${owner.socket} and ${socket}`
          : `${owner.service} and ${service}`
      report({
        path: ['services', service],
        message: `${what} would both be told of in ${taken}`,
        hint: 'rename one of them',
        at: 'key',
      })
    }
  }
}
