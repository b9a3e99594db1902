/** A foreground `up` where nobody looks at a screen: a line for what changed, and what services print. */
import type { DevsockEvent, ProjectStatus, ServiceStatus } from '../../proxy/protocol.ts'
import type { StreamItem } from '../events.ts'
import { type Io, printJson, printLine } from '../io.ts'
import { formatLogLine, labelWidth } from '../print/log.ts'
import { formatOutcome, PASSING } from '../print/service.ts'
import type { Session } from './session.ts'

/** Prints until the session is over. */
export async function followPlainly(session: Session, project: ProjectStatus, io: Io): Promise<void> {
  const printer = new PlainPrinter(project, io)
  for await (const item of session.items(true)) printer.print(item)
}

/** The event stream as it is, one JSON object a line. */
export async function followAsJson(session: Session, io: Io): Promise<void> {
  for await (const item of session.items(true)) if (item.type !== 'lost') printJson(io.stdout, item)
}

export class PlainPrinter {
  readonly #io: Io
  readonly #services = new Map<string, ServiceStatus>()
  readonly #labelWidth: number
  #isLost = false

  constructor(project: ProjectStatus, io: Io) {
    this.#io = io
    this.#labelWidth = labelWidth(project.services.map(({ name }) => name))
    for (const service of project.services) this.#services.set(service.name, service)
  }

  print(item: StreamItem): void {
    for (const line of this.lines(item)) printLine(this.#io.stdout, line)
  }

  /** What an event is worth saying. */
  lines(item: StreamItem): string[] {
    const { paint, colours } = this.#io
    switch (item.type) {
      case 'lost':
        this.#isLost = true
        return [paint('yellow', '! the daemon went away; its holder starts it again, the servers go on')]
      case 'snapshot':
        return this.#onSnapshot(item)
      case 'service':
        return this.#onService(item.status)
      case 'swap': {
        const service = this.#services.get(item.service)
        return service
          ? [
              formatOutcome(
                { ...service, state: 'ready', generation: item.receipt.to, lastSwap: item.receipt },
                paint,
              ),
            ]
          : []
      }
      case 'project':
        return item.status.problems.map(
          ({ message }) => `${paint('red', '✗')} configuration not applied: ${message}`,
        )
      case 'project-gone':
        return [`${paint('green', '✓')} ${item.project} was taken down`]
      case 'log':
        return [formatLogLine(item.text, item.service, this.#labelWidth, paint, colours)]
      case 'logs':
        return item.lines.map((text) => formatLogLine(text, item.service, this.#labelWidth, paint, colours))
      case 'notice':
        return [`${paint(item.level === 'info' ? 'dim' : 'yellow', '!')} ${item.message}`]
      default:
        // A newer daemon may know more kinds of events.
        return []
    }
  }

  #onSnapshot({ projects }: Extract<DevsockEvent, { type: 'snapshot' }>): string[] {
    const back = this.#isLost ? [this.#io.paint('dim', '! the daemon is back')] : []
    this.#isLost = false
    const changes = projects.flatMap(({ services }) =>
      services.flatMap((service) => this.#onService(service)),
    )
    return [...back, ...changes]
  }

  #onService(service: ServiceStatus): string[] {
    const before = this.#services.get(service.name)
    this.#services.set(service.name, service)
    const same = before?.state === service.state && before.generation === service.generation
    // The receipt of a swap is an event of its own, and says the same with figures.
    const hasReceipt = before?.state === 'swapping' && service.state === 'ready'
    if (before === undefined || same || hasReceipt || PASSING.has(service.state)) return []
    const lines = [formatOutcome({ ...service, lastSwap: null }, this.#io.paint)]
    if (service.reason.hint && service.state !== 'ready') lines.push(`  ${service.reason.hint}`)
    return lines
  }
}
