import { render } from 'ink'
import { EXIT, type Result, type UpReply } from '../../proxy/protocol.ts'
import { openInBrowser } from '../browser.ts'
import type { Client } from '../client.ts'
import type { Io } from '../io.ts'
import type { Session } from '../up/session.ts'
import { ProjectStore } from './project-store.ts'
import { UpScreen } from './up-screen.tsx'
import type { ScreenActions } from './use-keys.ts'

/** Shows the screen until the session is over; the last frame stays above the prompt. */
export async function runScreen(session: Session, client: Client, reply: UpReply, io: Io): Promise<void> {
  using store = new ProjectStore(reply.project)
  const actions = createActions(session, client, store, io)
  const dashboard = await client.dashboard()
  if (dashboard.ok && dashboard.value.link) store.note(`dashboard  ${dashboard.value.link}`)
  const screen = render(
    <UpScreen
      store={store}
      actions={actions}
      isLeased={session.isLeased}
      paint={io.paint}
      colours={io.colours}
    />,
    { stdin: io.stdin, exitOnCtrlC: false, patchConsole: false },
  )
  try {
    for await (const item of session.items(true)) store.push(item)
    await session.ended
  } finally {
    screen.unmount()
    await screen.waitUntilExit()
  }
}

/** Keys do not wait for their effect; what fails becomes a line of the log. */
function createActions(session: Session, client: Client, store: ProjectStore, io: Io): ScreenActions {
  const report = async (doing: Promise<Result<unknown>>): Promise<void> => {
    const result = await doing
    if (!result.ok) store.note([result.failure.message, result.failure.hint].filter(Boolean).join(' '))
  }
  const leave = (exit: number): void => {
    store.onLeaving()
    void session.leave(exit)
  }
  return {
    verb: (service, verb) => void report(client.verb(service.id, verb)),
    open: ({ sockets, name }) => {
      const url = sockets.find((socket) => socket.url !== null)?.url
      if (url) void report(openInBrowser(url, io.env))
      else store.note(`${name} has no URL`)
    },
    detach: () => void report(session.detach()),
    quit: () => leave(EXIT.ok),
    interrupt: () => leave(EXIT.interrupted),
  }
}
