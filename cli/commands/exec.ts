import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { EXIT, fail, ok, type Result, type StatusDocument, type UpRequest } from '../../proxy/protocol.ts'
import { Client } from '../client.ts'
import type { Call, Definition } from '../command.ts'
import { definedVariables } from '../environment.ts'
import { locateFolders } from '../folders.ts'
import { ensureDaemon } from '../launch.ts'
import { findProject, locateProject, notUp } from '../project.ts'
import { shellLimits } from '../shell.ts'
import { onSignals } from '../signals.ts'
import { Session } from '../up/session.ts'

interface Options {
  up?: boolean
}

const READY_MS = 60_000

export const define = (): Definition => ({
  name: 'exec',
  operands: '<command...>',
  summary: "Run a command with the services' variables. Exits as the command does.",
  examples: [
    ['exec -- npm test', 'DEVSOCK_API_URL and the like are set'],
    ['exec --up -- npm run e2e', 'brings the project up, waits, takes down what it brought'],
  ],
  options: {
    up: { does: 'bring the project up first, and down afterwards where this did it' },
  },
  passThrough: true,
})

export async function run(call: Call<Options>): Promise<Result<number>> {
  const client = call.options.up ? await ensureDaemon(call.io) : ok(new Client(locateFolders(call.io.env)))
  if (!client.ok) return client
  return call.options.up ? runWithProject(client.value, call) : runHere(client.value, call)
}

async function runHere(client: Client, { options, operands, io }: Call): Promise<Result<number>> {
  const status = await client.status()
  if (!status.ok) return status
  const project = findProject(status.value, options, io)
  if (!project) return notUp(status.value, options, io)
  const variables = await client.env(project.id)
  if (!variables.ok) return variables
  return runCommand(operands, { ...io.env, ...variables.value.env }, io.cwd)
}

/** The lease makes sure that it goes down even where this process is killed. */
async function runWithProject(client: Client, call: Call<Options>): Promise<Result<number>> {
  const { options, io } = call
  const location = locateProject(options, io)
  if (!location.ok) return location
  const request: UpRequest = {
    ...location.value,
    env: definedVariables(io.env),
    services: [],
    watch: true,
    autoPorts: false,
    limits: shellLimits(),
    detached: false,
    conflicts: null,
  }
  const reply = await client.up(request)
  if (!reply.ok) return reply
  using session = new Session(client, reply.value.project.id, reply.value.started, request)
  const reading = drain(session)
  const outcome = await runWhenReady(client, session.project, call)
  await session.leave(EXIT.ok)
  await reading
  const end = await session.ended
  return end.ok ? outcome : end
}

async function runWhenReady(client: Client, id: string, call: Call<Options>): Promise<Result<number>> {
  const status = await client.status()
  if (!status.ok) return status
  const waits = servicesOf(status.value, id).map((service) =>
    client.wait(service, { for: 'ready', timeoutMs: READY_MS }),
  )
  const failed = (await Promise.all(waits)).find((each) => !each.ok)
  if (failed) return failed
  const variables = await client.env(id)
  if (!variables.ok) return variables
  return runCommand(call.operands, { ...call.io.env, ...variables.value.env }, call.io.cwd)
}

const servicesOf = ({ projects }: StatusDocument, id: string): string[] =>
  (projects.find((project) => project.id === id)?.services ?? [])
    .filter(({ state }) => state !== 'stopped' && state !== 'external')
    .map((service) => service.id)

async function drain(session: Session): Promise<void> {
  for await (const _ of session.items(false));
}

/**
 * A terminal sends Ctrl-C to the command as well, so here it only must not end us first; what is sent to this
 * process alone is passed on. A command ended by signal N is 128 + N, as in a shell.
 */
async function runCommand(argv: string[], env: NodeJS.ProcessEnv, cwd: string): Promise<Result<number>> {
  const [file = '', ...args] = argv
  const child = spawn(file, args, { stdio: 'inherit', env, cwd })
  using _ignored = onSignals(['SIGINT', 'SIGQUIT'], () => {})
  using _passed = onSignals(['SIGTERM', 'SIGHUP'], (signal) => child.kill(signal))
  return new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const message =
        error.code === 'ENOENT' ? `There is no command ${file}.` : `Cannot run ${file}: ${error.code}.`
      resolve(fail('usage', message, 'devsock exec -- <command>'))
    })
    child.on('exit', (code, signal) => resolve(ok(code ?? 128 + (signal ? constants.signals[signal] : 0))))
  })
}
