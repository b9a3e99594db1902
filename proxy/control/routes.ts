import type { IncomingMessage, ServerResponse } from 'node:http'
import { siblingVariables } from '../config/environment.ts'
import { loadProject } from '../config/load.ts'
import { proposeStarter } from '../config/starter.ts'
import { freePort, planFree } from '../ports/free.ts'
import { listListeners } from '../ports/listeners.ts'
import { type DaemonStatus, fail, ok, type PortOwner, type Result, type ServiceVerb } from '../protocol.ts'
import type { Context } from '../services/context.ts'
import type { Member } from '../services/member.ts'
import { allProcesses } from '../services/processes.ts'
import type { Projects } from '../services/projects.ts'
import { examine } from './examine.ts'
import { streamLogs } from './logs.ts'
import { CheckBody, FreeBody, LogQuery, ProposeBody, parse, UpBody, WaitBody } from './requests.ts'
import { waitFor } from './wait.ts'

/** What the routes work on. */
export interface Controls {
  readonly context: Context
  readonly projects: Projects
  readonly hash: string
  daemon(): DaemonStatus
  /** The dashboard's URL with its token; null where there is no dashboard. */
  dashboardLink(): string | null
  /** Ends the daemon, and the holder with all it has. */
  stop(): void
}

export interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Decoded parts of the path, in the order of the route's `:names`. */
  readonly parameters: string[]
  readonly query: URLSearchParams
  body(): Promise<Result<unknown>>
}

/** A value is sent as JSON with `v`; undefined: the handler has answered by itself. */
type Handler = (controls: Controls, call: Call) => Promise<Result<object | undefined>>

export interface Route {
  method: string
  /** `/v1/services/:project/:service/logs` */
  path: string
  /** On the control socket alone: what names a command to run, shows an environment, or ends the daemon. */
  local?: true
  handle: Handler
}

export const routes: Route[] = [
  {
    method: 'GET',
    path: '/v1/hello',
    handle: async ({ daemon, hash }) => ok({ version: daemon().version, pid: process.pid, hash }),
  },
  {
    method: 'GET',
    path: '/v1/status',
    handle: async ({ daemon, projects }) => ok({ daemon: daemon(), projects: projects.statuses() }),
  },
  { method: 'POST', path: '/v1/projects', local: true, handle: up },
  { method: 'DELETE', path: '/v1/projects/:id', handle: down },
  { method: 'GET', path: '/v1/projects/:id/env', local: true, handle: variables },
  { method: 'POST', path: '/v1/check', local: true, handle: check },
  { method: 'POST', path: '/v1/propose', local: true, handle: propose },
  {
    method: 'GET',
    path: '/v1/doctor',
    local: true,
    handle: async ({ context, projects }, { query }) =>
      ok({ checks: await examine(context, projects.get(query.get('project') ?? '')) }),
  },
  { method: 'POST', path: '/v1/services/:project/:service/start', handle: verb('start') },
  { method: 'POST', path: '/v1/services/:project/:service/stop', handle: verb('stop') },
  { method: 'POST', path: '/v1/services/:project/:service/restart', handle: verb('restart') },
  { method: 'POST', path: '/v1/services/:project/:service/sleep', handle: verb('sleep') },
  { method: 'POST', path: '/v1/services/:project/:service/wait', handle: wait },
  { method: 'GET', path: '/v1/services/:project/:service/logs', handle: logs },
  {
    method: 'GET',
    path: '/v1/dashboard',
    local: true,
    handle: async ({ daemon, dashboardLink }) => ok({ url: daemon().dashboard, link: dashboardLink() }),
  },
  { method: 'GET', path: '/v1/ports', handle: ports },
  { method: 'GET', path: '/v1/ports/:port/plan', handle: plan },
  { method: 'POST', path: '/v1/ports/:port/free', handle: free },
  {
    method: 'POST',
    path: '/v1/daemon/stop',
    local: true,
    handle: async ({ stop }) => {
      stop()
      return ok({})
    },
  },
]

async function up({ projects }: Controls, call: Call): Promise<Result<object>> {
  const body = await call.body()
  const request = body.ok ? parse(UpBody, body.value) : body
  return request.ok ? projects.up(request.value) : request
}

async function down({ projects }: Controls, { parameters: [id = ''], query }: Call): Promise<Result<object>> {
  return projects.down(id, query.has('force'))
}

/** What `devsock env` and `exec` give to a command: where the siblings are; of a service, its own `env` too. */
async function variables(
  { projects }: Controls,
  { parameters: [id = ''], query }: Call,
): Promise<Result<object>> {
  const project = projects.get(id)
  if (!project) return notUp(id)
  const name = query.get('service')
  if (name === null) return ok({ env: siblingVariables(project.resolved, project.bound()) })
  const member = project.members.get(name)
  if (!member) return unknownService(id, name)
  const environment = member.unit.environment(member.runner.state.number)
  return environment.ok ? ok({ env: environment.value }) : environment
}

async function check(_: Controls, call: Call): Promise<Result<object>> {
  const body = await call.body()
  const request = body.ok ? parse(CheckBody, body.value) : body
  if (!request.ok) return request
  const loaded = await loadProject(request.value)
  if (loaded.ok) return ok({ problems: [], project: loaded.value })
  const { problems } = loaded.failure
  return problems ? ok({ problems, project: null }) : loaded
}

/** What `devsock init` would write: reads files, evaluates nothing. */
async function propose(_: Controls, call: Call): Promise<Result<object>> {
  const body = await call.body()
  const request = body.ok ? parse(ProposeBody, body.value) : body
  return request.ok ? ok(await proposeStarter(request.value.dir)) : request
}

function verb(name: ServiceVerb): Handler {
  return async (controls, { parameters: [project = '', service = ''] }) => {
    const member = memberOf(controls, project, service)
    if (!member.ok) return member
    const { runner } = member.value
    runner.tell({ type: name })
    const forever = new AbortController().signal
    if (name === 'stop')
      await runner.until(({ front, leaving }) => front.kind === 'stopped' && leaving.length === 0, forever)
    // A port that was released may have been taken meanwhile.
    else await runner.until(({ front }) => front.kind !== 'binding' && front.kind !== 'stopping', forever)
    const { front, reason } = runner.state
    if (front.kind === 'conflict' && !front.external) {
      return fail(
        reason.code === 'port-taken' ? 'port-taken' : 'bind-failed',
        `${service}: ${reason.message}`,
        reason.hint,
      )
    }
    return ok({ service: member.value.status() })
  }
}

async function wait(controls: Controls, call: Call): Promise<Result<object>> {
  const [project = '', service = ''] = call.parameters
  const member = memberOf(controls, project, service)
  if (!member.ok) return member
  const body = await call.body()
  const options = body.ok ? parse(WaitBody, body.value) : body
  return options.ok ? waitFor(member.value, options.value) : options
}

async function logs(controls: Controls, call: Call): Promise<Result<undefined>> {
  const [project = '', service = ''] = call.parameters
  const member = memberOf(controls, project, service)
  if (!member.ok) return member
  const query = parse(LogQuery, Object.fromEntries(call.query))
  if (!query.ok) return query
  const streamed = await streamLogs(member.value, query.value, call.response)
  return streamed.ok ? ok(undefined) : streamed
}

async function ports({ projects }: Controls): Promise<Result<object>> {
  const listings = await listListeners()
  return ok({ ports: listings.map((listing) => ({ ...listing, service: projects.serviceOf(listing.port) })) })
}

async function plan(controls: Controls, { parameters: [text] }: Call): Promise<Result<object>> {
  const port = portNumber(text)
  if (!port.ok) return port
  const planned = await planFree(port.value, protectedPids(controls))
  if (planned.ok) {
    const owners = planned.value.ends.map((owner) => ({ ...owner, refused: null }))
    return ok({ port: port.value, owners })
  }
  if (planned.failure.code !== 'port-refused') return planned
  const owners = (planned.failure.owners ?? []).flatMap(({ owner }): (PortOwner & { refused: string })[] =>
    owner ? [{ ...owner, refused: planned.failure.message }] : [],
  )
  return ok({ port: port.value, owners })
}

async function free(controls: Controls, call: Call): Promise<Result<object>> {
  const port = portNumber(call.parameters[0])
  if (!port.ok) return port
  const body = await call.body()
  const options = body.ok ? parse(FreeBody, body.value) : body
  if (!options.ok) return options
  const began = controls.context.now()
  const freed = await freePort(port.value, options.value, protectedPids(controls))
  if (!freed.ok) return freed
  return ok({ ended: freed.value.ended.map(({ owner }) => owner), ms: controls.context.now() - began })
}

/** Daemon, holder, and every process of every generation. */
function protectedPids({ context, projects }: Controls): Set<number> {
  const leaders = projects.leaders()
  const own = allProcesses().flatMap(({ pid, group }) => (leaders.has(group) ? [pid] : []))
  return new Set([process.pid, context.holder.holderPid, ...own])
}

function portNumber(text = ''): Result<number> {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return ok(port)
  return fail('usage', `${text} is not a port`, 'a number from 1 to 65535')
}

function memberOf({ projects }: Controls, project: string, service: string): Result<Member> {
  if (!projects.get(project)) return notUp(project)
  const member = projects.member(project, service)
  return member ? ok(member) : unknownService(project, service)
}

const notUp = (id: string): Result<never> => fail('not-up', `${id} is not up`, 'bring it up: devsock up')

const unknownService = (project: string, service: string): Result<never> =>
  fail('unknown-service', `${project} has no service ${service}`, 'see them: devsock status')
