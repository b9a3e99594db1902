import type { WriteStream } from 'node:tty'
import { EXIT, type UpReply } from '../../proxy/protocol.ts'
import type { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { formatHeld } from '../print/service.ts'
import type { Session } from '../up/session.ts'
import { Actions } from './actions.ts'
import type { ReadLog } from './log-feed.ts'
import { ProjectStore } from './project-store.ts'
import { Speech } from './speech.ts'
import { SpokenStage, Stage } from './stage.tsx'

/** Of each service, lines that were there before the screen. */
const PAST_LINES = 500

/** Shows the screen until the session is over. */
export async function runScreen(session: Session, client: Client, reply: UpReply, io: Io): Promise<void> {
  const read: ReadLog = (service) => client.logs(`${session.project}/${service}`, { last: PAST_LINES })
  using store = new ProjectStore(reply.project, read)
  const greeting = await greet(reply, client)
  for (const line of greeting) store.note(line)
  const { act } = new Actions({ session, client, store, io, repaint: () => stage?.repaint() })
  const props = { store, act, isLeased: session.isLeased }
  // As Ink reads it.
  const isHeard = io.env.INK_SCREEN_READER === 'true'
  using speech = new Speech(reply.project, io)
  if (isHeard) speech.say(...greeting)
  // Only terminals get here.
  const terminal = io.stdout as WriteStream
  await using spoken = isHeard ? new SpokenStage(terminal, io, { ...props, speech }) : null
  await using stage = spoken ? null : new Stage(terminal, io, props)
  // Where a shell ignores SIGHUP, its input alone tells that the terminal has gone.
  io.stdin.once('end', () => void session.leave(EXIT.interrupted))
  for await (const item of session.items('screen')) {
    store.push(item)
    if (isHeard) speech.push(item)
  }
  await session.ended
}

/** What a plain `up` prints first. */
async function greet({ project, started, ms }: UpReply, client: Client): Promise<string[]> {
  const [head = ''] = formatHeld(project, ms, (_, text) => text)
  const dashboard = await client.dashboard()
  const link = dashboard.ok && dashboard.value.link ? [`dashboard  ${dashboard.value.link}`] : []
  return [started ? head : `✓ ${project.id} is up already`, ...link]
}
