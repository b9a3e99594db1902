import { fail, ok, type Result, type SocketStatus } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine } from '../io.ts'
import { formatSocket } from '../print/service.ts'
import { findTargets, type Target } from '../project.ts'

export const define = (): Definition => ({
  name: 'url',
  operands: '<service>',
  summary: 'Print the URL of a service, for scripts.',
  examples: [
    ['url web', 'http://localhost:5173'],
    ['url api:admin', 'of the socket with this name'],
    ['url shop/web', 'of another project'],
  ],
})

export async function run({ options, operands, io }: Call): Promise<Result<number>> {
  const status = await new Client(locateFolders(io.env)).status()
  if (!status.ok) return status
  const [name = '', socketName] = (operands[0] ?? '').split(':')
  const targets = findTargets(status.value, [name], options, io)
  if (!targets.ok) return targets
  const socket = pickSocket(targets.value[0], socketName)
  if (!socket.ok) return socket
  if (options.json) printJson(io.stdout, { v: 1, url: socket.value.url, address: socket.value.address })
  else printLine(io.stdout, formatSocket(socket.value))
  return ok(0)
}

/** The socket of that name, or the first one. */
export function pickSocket(target: Target | undefined, name?: string): Result<SocketStatus> {
  const { id, sockets } = target?.service ?? { id: '', sockets: [] }
  const socket = name === undefined ? sockets[0] : sockets.find((each) => each.name === name)
  if (socket) return ok(socket)
  if (sockets.length === 0) return fail('usage', `${id} has no socket.`, 'Give it one with listen.')
  return fail(
    'usage',
    `${id} has no socket ${name}.`,
    `Its sockets: ${sockets.map((each) => each.name).join(', ')}.`,
  )
}
