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
  const client = new Client(locateFolders(io.env))
  const status = await client.status()
  if (!status.ok) return status
  const [name] = operands
  if (name === undefined) return openDashboard(client, { options, io })
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

/** The link with the token goes to the browser, and to a terminal; a pipe may be a log that others read. */
async function openDashboard(
  client: Client,
  { options, io }: Pick<Call, 'options' | 'io'>,
): Promise<Result<number>> {
  const dashboard = await client.dashboard()
  if (!dashboard.ok) return dashboard
  const { url, link } = dashboard.value
  if (url === null || link === null)
    return fail('daemon-failed', 'The dashboard has no port: none could be bound.', 'devsock daemon logs')
  const opened = await openInBrowser(link, io.env)
  if (!opened.ok) {
    const { hint, ...failure } = opened.failure
    return { ok: false, failure: { ...failure, hint: io.stdout.isTTY ? hint : `Open it yourself: ${url}` } }
  }
  if (options.json) printJson(io.stdout, { v: 1, url })
  else printLine(io.stdout, io.stdout.isTTY ? link : url)
  return ok(0)
}
