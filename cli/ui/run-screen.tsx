import type { UpReply } from '../../proxy/protocol.ts'
import type { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { formatHeld } from '../print/service.ts'
import type { Session } from '../up/session.ts'
import { Actions } from './actions.ts'
import type { ReadLog } from './log-feed.ts'
import type { Terminal } from './painter.ts'
import { ProjectStore } from './project-store.ts'
import { Stage } from './stage.tsx'

/** Of each service, lines that were there before the screen. */
const PAST_LINES = 500

/** Shows the screen until the session is over. */
export async function runScreen(session: Session, client: Client, reply: UpReply, io: Io): Promise<void> {
  const read: ReadLog = (service) => client.logs(`${session.project}/${service}`, { last: PAST_LINES })
  using store = new ProjectStore(reply.project, read)
  await greet(store, reply, client)
  const { act } = new Actions({ session, client, store, io, repaint: () => stage.repaint() })
  // Only terminals get here.
  const terminal = io.stdout as Terminal
  await using stage = new Stage(terminal, io, { store, act, isLeased: session.isLeased })
  for await (const item of session.items('screen')) store.push(item)
  await session.ended
}

/** What a plain `up` prints first, as the first lines of the log. */
async function greet(store: ProjectStore, reply: UpReply, client: Client): Promise<void> {
  const [head = ''] = formatHeld(reply.project, reply.ms, (_, text) => text)
  store.note(reply.started ? head : `✓ ${reply.project.id} is up already`)
  const dashboard = await client.dashboard()
  if (dashboard.ok && dashboard.value.link) store.note(`dashboard  ${dashboard.value.link}`)
}
