import { fail, ok, type Result } from '../../proxy/protocol.ts'
import { openInBrowser } from '../browser.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { locateFolders } from '../folders.ts'
import { printJson, printLine } from '../io.ts'
import { findTargets } from '../project.ts'
import { pickSocket } from './url.ts'

export const define = (): Definition => ({
  name: 'open',
  operands: '[service]',
  summary: 'Open a service in the browser, or the dashboard.',
  examples: [
    ['open web', 'its URL; the connection starts it'],
    ['open', 'the dashboard'],
  ],
})

export async function run({ options, operands, io }: Call): Promise<Result<number>> {
  const status = await new Client(locateFolders(io.env)).status()
  if (!status.ok) return status
  const [name] = operands
  if (name === undefined) {
    return fail('not-in-this-version', 'The dashboard is not in this version.', 'devsock open <service>')
  }
  const targets = findTargets(status.value, [name], options, io)
  if (!targets.ok) return targets
  const socket = pickSocket(targets.value[0])
  if (!socket.ok) return socket
  const { url, address } = socket.value
  if (url === null) return fail('usage', `${address} has no URL to open.`, null)
  const opened = await openInBrowser(url, io.env)
  if (!opened.ok) return opened
  if (options.json) printJson(io.stdout, { v: 1, url })
  else printLine(io.stdout, url)
  return ok(0)
}
