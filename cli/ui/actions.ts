/** What keys do outside of the screen. They do not wait for it; what fails becomes a line of the log. */
import { EXIT, type PortOwner, type Result, type ServiceStatus } from '../../proxy/protocol.ts'
import { openInBrowser } from '../browser.ts'
import type { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { formatOwner } from '../print/failure.ts'
import type { Session } from '../up/session.ts'
import type { Action } from './keys.ts'
import type { Choice, ProjectStore } from './project-store.ts'

const GRACE_MS = 5_000

const YES_NO: Choice[] = [
  { key: 'y', label: '[y]es' },
  { key: 'n', label: '[n]o' },
]

const SETTLEMENTS: Choice[] = [
  { key: 'k', label: '[k]ill' },
  { key: 'o', label: '[o]ther port' },
  { key: 'u', label: '[u]se it' },
  { key: 'w', label: '[w]ait' },
]

export interface ActionsContext {
  session: Session
  client: Client
  store: ProjectStore
  io: Io
  repaint(): void
}

export class Actions {
  readonly #context: ActionsContext

  constructor(context: ActionsContext) {
    this.#context = context
  }

  readonly act = (action: Action): void => {
    const { store, session, repaint } = this.#context
    switch (action.do) {
      case 'verb':
        for (const name of action.services) this.#report(this.#verb(name, action.verb))
        return
      case 'open':
        return this.#open(action.service)
      case 'dashboard':
        return this.#report(this.#openDashboard())
      case 'look':
        return void this.#look(action.service)
      case 'settle':
        return this.#report(this.#settle(action.service))
      case 'free':
        return this.#report(this.#free(action.port))
      case 'answer':
        return store.view().prompt?.answer(action.key)
      case 'detach':
        return this.#report(session.detach())
      case 'quit':
        return this.#leave(EXIT.ok)
      case 'interrupt':
        return this.#leave(EXIT.interrupted)
      case 'repaint':
        return repaint()
    }
  }

  #report(doing: Promise<Result<unknown>>): void {
    const { store } = this.#context
    doing.then(
      (result) => {
        if (!result.ok) store.note([result.failure.message, result.failure.hint].filter(Boolean).join('\n'))
      },
      (error: unknown) => store.note(`that went wrong: ${String(error)}`),
    )
  }

  #leave(exit: number): void {
    this.#context.store.onLeaving()
    void this.#context.session.leave(exit)
  }

  #service(name: string): ServiceStatus | undefined {
    return this.#context.store.view().project.services.find((service) => service.name === name)
  }

  #verb(name: string, verb: Extract<Action, { do: 'verb' }>['verb']): Promise<Result<unknown>> {
    return this.#context.client.verb(`${this.#context.session.project}/${name}`, verb)
  }

  #open(name: string): void {
    const { io, store } = this.#context
    const url = this.#service(name)?.sockets.find((socket) => socket.url !== null)?.url
    if (url) this.#report(openInBrowser(url, io.env))
    else store.note(`${name} has no URL`)
  }

  async #openDashboard(): Promise<Result<unknown>> {
    const { client, io, store } = this.#context
    const dashboard = await client.dashboard()
    if (!dashboard.ok) return dashboard
    if (dashboard.value.link) return openInBrowser(dashboard.value.link, io.env)
    store.note('the dashboard has no port')
    return dashboard
  }

  /** Only the names of its variables are kept. */
  async #look(name: string): Promise<void> {
    const { client, session, store } = this.#context
    const reply = await client.env(session.project, name)
    store.onVariables(name, reply.ok ? Object.keys(reply.value.env).toSorted() : [])
  }

  /** A service whose port somebody else has. */
  async #settle(name: string): Promise<Result<unknown>> {
    const { session, store } = this.#context
    const service = this.#service(name)
    const socket = service?.sockets.find(({ owner }) => owner !== null) ?? service?.sockets[0]
    if (service?.state !== 'conflict' || !socket) {
      store.note(`${name} is ${service?.state ?? 'gone'}: nobody else has its port`)
      return { ok: true, value: null }
    }
    const who = socket.owner ? formatOwner(socket.owner) : 'another user'
    switch (await store.ask(`${name} wants ${socket.address}: ${who}`, SETTLEMENTS)) {
      case 'k': {
        return socket.port === null ? { ok: true, value: null } : this.#take(name, socket.port)
      }
      case 'o':
        return session.settle(name, 'auto')
      case 'u':
        return session.settle(name, 'use')
      default:
        // It waits as it is: the port is taken as soon as it is free.
        return { ok: true, value: null }
    }
  }

  /** Who waits for a port has it before anybody could see that it was free: only the start says how it went. */
  async #take(name: string, port: number): Promise<Result<unknown>> {
    const { client, store } = this.#context
    const freed = await client.free(port, { force: false, graceMs: GRACE_MS })
    const started = await this.#verb(name, 'start')
    if (!started.ok) return freed.ok ? started : freed
    store.note(`${name} has port ${port}`)
    return started
  }

  /** Shows whose it is, and asks. */
  async #free(port: number): Promise<Result<unknown>> {
    const { client, store } = this.#context
    const plan = await client.freePlan(port)
    if (!plan.ok) return plan
    const { owners } = plan.value
    if (owners.length === 0) store.note(`nobody listens on ${port}`)
    const refused = owners.find((owner) => owner.refused !== null)?.refused
    if (refused) store.note(refused)
    if (owners.length === 0 || refused) return plan
    const who = owners.map(formatOwner).join('; ')
    if ((await store.ask(`port ${port}: ${who}. End it?`, YES_NO)) !== 'y') return plan
    return this.#end(port, owners)
  }

  async #end(port: number, owners: PortOwner[]): Promise<Result<unknown>> {
    const { client, store } = this.#context
    const freed = await client.free(port, { force: false, graceMs: GRACE_MS })
    if (!freed.ok) return freed
    const ended = freed.value.ended.length > 0 ? freed.value.ended : owners
    store.note(`port ${port} is free: ${ended.map(formatOwner).join('; ')} ended · ${freed.value.ms} ms`)
    return freed
  }
}
