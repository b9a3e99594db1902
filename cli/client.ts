import {
  API_VERSION,
  type DashboardReply,
  type LogLine,
  ok,
  type PortListing,
  type PortOwner,
  type Problem,
  type Result,
  type ServiceStatus,
  type ServiceVerb,
  type StatusDocument,
  type UpReply,
  type UpRequest,
} from '../proxy/protocol.ts'
import type { Folders } from './folders.ts'
import { exchange } from './transport.ts'

export interface Hello {
  v: number
  version: string
  pid: number
  /** Of the manifest of what runs; a source checkout changes it with each build. */
  hash: string
}

export interface DownReply {
  services: number
  ports: number
  ms: number
}

/** What freeing a port would end; `refused` says why an owner would be left alone. */
export interface FreePlan {
  port: number
  owners: (PortOwner & { refused: string | null })[]
}

export interface CheckReply {
  problems: Problem[]
  /** The configuration as the daemon would run it; null when it has problems. */
  project: { id: string; config: string; services: unknown[] } | null
}

/** What could be written where there is no configuration; `file` is null where no server is known. */
export interface ProposeReply {
  dir: string
  services: { name: string; command: string; framework: string; port: number; watch: string[] | null }[]
  file: { name: string; content: string } | null
}

/** One thing that `devsock doctor` looked at. */
export interface Check {
  name: string
  ok: boolean
  message: string
  hint: string | null
}

export interface LogQuery {
  /** Only lines since then: ISO 8601. */
  since?: string
  last?: number
  generation?: number
  previous?: boolean
  grep?: string
  follow?: boolean
}

export interface WaitRequest {
  for: 'ready' | 'held'
  timeoutMs: number
}

/** `up` and `down` end servers, which may take as long as their stop timeouts. */
const SLOW_MS = 120_000

/** The control API, a method a route. Every method answers `not-up` where no daemon runs. */
export class Client {
  readonly folders: Folders

  constructor(folders: Folders) {
    this.folders = folders
  }

  hello(timeoutMs = 2_000): Promise<Result<Hello>> {
    return exchange(this.folders, 'GET', '/v1/hello', { timeoutMs })
  }

  /** No daemon is an answer here, not a failure. */
  async status(): Promise<Result<StatusDocument>> {
    const status = await exchange<StatusDocument>(this.folders, 'GET', '/v1/status')
    if (!status.ok && status.failure.code === 'not-up')
      return ok({ v: API_VERSION, daemon: null, projects: [] })
    return status
  }

  /** Its URL, and the link with the token that opens it. */
  dashboard(): Promise<Result<DashboardReply>> {
    return exchange(this.folders, 'GET', '/v1/dashboard')
  }

  up(body: UpRequest): Promise<Result<UpReply>> {
    return exchange(this.folders, 'POST', '/v1/projects', { body, timeoutMs: SLOW_MS })
  }

  /** `force` ends everything at once (SIGKILL). */
  down(project: string, force = false): Promise<Result<DownReply>> {
    const path = `/v1/projects/${encodeURIComponent(project)}${force ? '?force=1' : ''}`
    return exchange(this.folders, 'DELETE', path, { timeoutMs: SLOW_MS })
  }

  verb(id: string, verb: ServiceVerb): Promise<Result<{ service: ServiceStatus }>> {
    return exchange(this.folders, 'POST', `${servicePath(id)}/${verb}`, { body: {}, timeoutMs: SLOW_MS })
  }

  /** Changes saved before the call are taken in first. */
  wait(id: string, { for: until, timeoutMs }: WaitRequest): Promise<Result<{ service: ServiceStatus }>> {
    const body = { for: until, timeoutMs, sweep: true }
    return exchange(this.folders, 'POST', `${servicePath(id)}/wait`, { body, timeoutMs: timeoutMs + 5_000 })
  }

  async *logs(id: string, query: LogQuery, signal?: AbortSignal): AsyncGenerator<Result<LogLine>> {
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== false) parameters.set(name, value === true ? '1' : String(value))
    }
    const { exchangeLines } = await import('./lines.ts')
    yield* exchangeLines(this.folders, `${servicePath(id)}/logs?${parameters}`, signal)
  }

  env(project: string, service?: string): Promise<Result<{ env: Record<string, string> }>> {
    const query = service === undefined ? '' : `?service=${encodeURIComponent(service)}`
    return exchange(this.folders, 'GET', `/v1/projects/${encodeURIComponent(project)}/env${query}`)
  }

  ports(): Promise<Result<{ v: number; ports: PortListing[] }>> {
    return exchange(this.folders, 'GET', '/v1/ports')
  }

  freePlan(port: number): Promise<Result<FreePlan>> {
    return exchange(this.folders, 'GET', `/v1/ports/${port}/plan`)
  }

  free(
    port: number,
    options: { force: boolean; graceMs: number },
  ): Promise<Result<{ ended: PortOwner[]; ms: number }>> {
    const timeoutMs = options.graceMs + SLOW_MS
    return exchange(this.folders, 'POST', `/v1/ports/${port}/free`, { body: options, timeoutMs })
  }

  check(body: {
    dir: string
    config: string | null
    env: Record<string, string>
  }): Promise<Result<CheckReply>> {
    return exchange(this.folders, 'POST', '/v1/check', { body, timeoutMs: SLOW_MS })
  }

  propose(dir: string): Promise<Result<ProposeReply>> {
    return exchange(this.folders, 'POST', '/v1/propose', { body: { dir } })
  }

  /** Of this machine, and of a project that is up. */
  doctor(project: string | null): Promise<Result<{ checks: Check[] }>> {
    const query = project === null ? '' : `?project=${encodeURIComponent(project)}`
    return exchange(this.folders, 'GET', `/v1/doctor${query}`, { timeoutMs: SLOW_MS })
  }

  stopDaemon(): Promise<Result<unknown>> {
    return exchange(this.folders, 'POST', '/v1/daemon/stop', { body: {}, timeoutMs: SLOW_MS })
  }
}

/** `shop/api` → `/v1/services/shop/api`. A service's name has no slash; a project's may (npm scopes). */
function servicePath(id: string): string {
  const slash = id.lastIndexOf('/')
  const [project, service] = [id.slice(0, slash), id.slice(slash + 1)]
  return `/v1/services/${encodeURIComponent(project)}/${encodeURIComponent(service)}`
}
