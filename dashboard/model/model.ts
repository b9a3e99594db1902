import type {
  DaemonStatus,
  DevsockEvent,
  Edge,
  ProjectStatus,
  ServiceStatus,
  Wake,
} from '../../proxy/protocol.ts'
import type { Link } from '../event-stream.ts'
import { firstEntries, type History, newEntries, remember } from './history.ts'
import { type Usage, withSample } from './usage.ts'

/** Something that devsock said, or that came of what a person did here. */
export interface Notice {
  key: number
  at: string
  level: 'info' | 'warn' | 'error'
  /** A project, or one of its services. */
  about: string | null
  message: string
  hint: string | null
  /** It answers what was asked for on this page. */
  isOwn: boolean
}

/** All that the page shows, as plain data. */
export interface Model {
  link: Link
  daemon: DaemonStatus | null
  projects: ProjectStatus[]
  history: History
  usage: Usage
  /** Who connects to whom, and who woke whom; the newest last. */
  edges: Edge[]
  wakes: Wake[]
  /** Newest last. */
  notices: Notice[]
}

const MOST_NOTICES = 200
const MOST_EDGES = 200
const MOST_WAKES = 200

export const emptyModel = (history: History = {}): Model => ({
  link: 'connecting',
  daemon: null,
  projects: [],
  history,
  usage: {},
  edges: [],
  wakes: [],
  notices: [],
})

/** The model after an event of the daemon. */
export function apply(model: Model, event: DevsockEvent): Model {
  switch (event.type) {
    case 'snapshot':
      return event.projects.reduce((sofar, project) => withProject(sofar, project, event.at), {
        ...model,
        daemon: event.daemon,
        edges: event.edges,
        wakes: event.wakes,
        projects: sameOrder(model.projects, event.projects),
      })
    case 'project':
      return withProject(model, event.status, event.at)
    case 'project-gone':
      return { ...model, projects: model.projects.filter(({ id }) => id !== event.project) }
    case 'service':
      return withService(model, event.project, event.status, event.at)
    case 'edge': {
      const others = model.edges.filter(({ from, to }) => from !== event.edge.from || to !== event.edge.to)
      return { ...model, edges: [...others, event.edge].slice(-MOST_EDGES) }
    }
    case 'wake':
      return { ...model, wakes: withWake(model.wakes, event.wake) }
    case 'notice':
      return withNotice(model, {
        at: event.at,
        level: event.level,
        about: [event.project, event.service].filter((part) => part !== null).join('/') || null,
        message: event.message,
        hint: null,
        isOwn: false,
      })
    default:
      // The receipt of a swap is in the status too; logs were not asked for; a newer daemon may know more.
      return model
  }
}

export function withNotice(model: Model, notice: Omit<Notice, 'key'>): Model {
  const key = (model.notices.at(-1)?.key ?? 0) + 1
  return { ...model, notices: [...model.notices, { ...notice, key }].slice(-MOST_NOTICES) }
}

export const withoutNotice = (model: Model, key: number): Model => ({
  ...model,
  notices: model.notices.filter((notice) => notice.key !== key),
})

/** A point of every service's curves. `now` in ms since the epoch. */
export function sampled(model: Model, now: number): Model {
  let { usage } = model
  for (const service of allServices(model)) usage = withSample(usage, service, now)
  return { ...model, usage }
}

export const allServices = ({ projects }: Pick<Model, 'projects'>): ServiceStatus[] =>
  projects.flatMap(({ services }) => services)

export const findService = (model: Model, id: string): ServiceStatus | null =>
  allServices(model).find((service) => service.id === id) ?? null

/** A wake that is told again is known better. */
function withWake(wakes: Wake[], wake: Wake): Wake[] {
  const at = wakes.findIndex((each) => each.service === wake.service && each.generation === wake.generation)
  return at < 0 ? [...wakes, wake].slice(-MOST_WAKES) : wakes.with(at, wake)
}

/** Where nothing else is known a project stays at its place: nothing jumps at a reconnect. */
function sameOrder(before: ProjectStatus[], now: ProjectStatus[]): ProjectStatus[] {
  const places = new Map(before.map(({ id }, place) => [id, place]))
  const place = ({ id }: ProjectStatus): number => places.get(id) ?? before.length
  return now
    .toSorted((one, other) => place(one) - place(other))
    .map((project) => before.find(({ id }) => id === project.id) ?? { ...project, services: [] })
}

function withProject(model: Model, status: ProjectStatus, at: string): Model {
  const known = model.projects.find(({ id }) => id === status.id)
  const before = new Map(known?.services.map((service) => [service.id, service]))
  const history = status.services.reduce(
    (sofar, service) => withHistory(sofar, before.get(service.id), service, at),
    model.history,
  )
  const projects = known
    ? model.projects.map((project) => (project === known ? status : project))
    : [...model.projects, status]
  return { ...model, projects, history }
}

function withService(model: Model, project: string, status: ServiceStatus, at: string): Model {
  const home = model.projects.find(({ id }) => id === project)
  if (home === undefined) return model
  const before = home.services.find(({ id }) => id === status.id)
  const services = before
    ? home.services.map((service) => (service === before ? status : service))
    : [...home.services, status]
  return {
    ...model,
    projects: model.projects.map((each) => (each === home ? { ...home, services } : each)),
    history: withHistory(model.history, before, status, at),
  }
}

function withHistory(
  history: History,
  before: ServiceStatus | undefined,
  service: ServiceStatus,
  at: string,
): History {
  if (before) return remember(history, service.id, newEntries(before, service, at))
  const known = history[service.id] ?? []
  // What happened before the page was there is told by the status; after a reload the page remembers better.
  return known.length > 0 ? history : remember(history, service.id, firstEntries(service, at))
}
