import { z } from 'zod'
import type { DevsockConfig, DevsockLocalConfig, Duration } from './define.ts'
import { DURATION, MAX_DURATION_MS, parseDuration } from './duration.ts'

/**
 * The configuration as people write it: what validates it at run time, and what the JSON schema is made of.
 * Messages are read after the path of the value: `services.api.drain: must be …`. What the whole of a
 * configuration decides (addresses, folders, collisions) is looked at by resolve.ts.
 */

const TIME = 'must be a time such as 500, "500ms", "5s", "15m" or "1h"'

const TOO_LONG = 'is too long a time: 24 days at most'

const timeText = z
  .string()
  .regex(DURATION, { error: TIME, abort: true })
  .refine((written) => parseDuration(written) !== null, TOO_LONG)
// The type says more than zod can infer from a pattern.
const duration = z.union(
  [
    z.number().nonnegative(TIME).max(MAX_DURATION_MS, TOO_LONG),
    timeText as unknown as z.ZodType<Extract<Duration, string>, Extract<Duration, string>>,
  ],
  { error: TIME },
)

const signal = z.enum([
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'SIGALRM',
  'SIGABRT',
  'SIGKILL',
])

const ADDRESS =
  'must be an address: 3000, "127.0.0.1:3000", "[::1]:3000", "*:3000", "unix:./app.sock" or "auto"'
const addressText = z.union([z.number(), z.string()], { error: ADDRESS })
const PORT = 'must be a port, a number from 1 to 65535'
const MODE = 'must be permissions such as 0o600, or "600" as text'

const socket = z
  .strictObject({
    address: addressText.describe(
      'Where it listens: 3000, "127.0.0.1:3000", "*:3000", "unix:./app.sock", "auto"',
    ),
    name: z
      .string()
      .describe('Its name in variables and LISTEN_FDNAMES. Default: http for the first')
      .optional(),
    binds: z
      .int(PORT)
      .min(1, PORT)
      .max(65535, PORT)
      .describe('The port that the program itself believes it binds, where that is not the held one')
      .optional(),
    backlog: z
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .max(65535, 'must be 65535 at most')
      .describe('Connections that may wait until they are accepted. Default: 4096')
      .optional(),
    mode: z
      .union([z.int(MODE).min(0, MODE).max(0o777, MODE), z.string().regex(/^(?:0o?)?[0-7]{3}$/, MODE)], {
        error: MODE,
      })
      .describe('Permissions of a Unix socket: a number, 0o600 by default, or octal text, "600"')
      .optional(),
    protocol: z.enum(['http', 'https', 'tcp']).describe('What is spoken on it. Default: http').optional(),
  })
  .describe('A socket with more to say than its address')

const oneSocket = z.union([addressText, socket], { error: ADDRESS })

/** A record with one of these keys is a socket that lacks its address, not sockets of these names. */
const namedSockets = z
  .record(z.string(), oneSocket)
  .refine((record) => !Object.keys(record).some((key) => key in socket.shape), 'has no address')

const listen = z
  .union([addressText, z.literal(false), socket, z.array(oneSocket), namedSockets], {
    error: 'must be an address, a list of addresses, { name: address }, or false for a worker',
  })
  .describe('What it listens on; false: no socket, a worker. Default: the usual port of its framework')

const ready = z
  .strictObject({
    notify: z.boolean().describe('It sends READY=1 to NOTIFY_SOCKET').optional(),
    log: z.string().describe('It writes a line that this regular expression matches').optional(),
    http: z
      .string()
      .startsWith('/', 'must be a path that begins with "/"')
      .describe('A GET of this path is answered with a status below 400')
      .optional(),
    timeout: duration.describe("It has failed if it is not ready by then. Default: '30s'").optional(),
  })
  .describe('When a generation counts as ready. Default: when it accepts')

const command = z.union([z.string(), z.array(z.string()).min(1, 'is an empty list')], {
  error: 'must be a string, which runs in sh, or a list of strings, which is executed as it is',
})
const strings = z.union([z.string(), z.array(z.string())], { error: 'must be a string or a list of strings' })

const service = z
  .strictObject({
    command: command.describe('A string runs in sh, a list is executed as it is'),
    listen: listen.optional(),
    start: z
      .enum(['on-demand', 'eager', 'manual'])
      .describe('With its first connection (default), with the project (a worker), or by `devsock start`')
      .optional(),
    watch: z
      .union([z.string(), z.array(z.string()), z.literal(false)], {
        error: 'must be a list of globs, or false',
      })
      .describe('Globs of the files whose change swaps it, "!" leaves out. Default: none')
      .optional(),
    swap: z
      .enum(['hold', 'overlap', 'exclusive'])
      .describe(
        'hold: new connections wait for the new generation (default). overlap: the old one serves until then',
      )
      .optional(),
    reload: signal.describe('A signal instead of a swap').optional(),
    build: command.describe('A command before each generation').optional(),
    standby: z
      .union([z.boolean(), z.array(z.string().min(1))])
      .describe(
        'For `node FILE`: the next process is booted ahead, and waits before it reads a file of the project. Default: for ten minutes after a start or a save. A list: packages that it loads meanwhile, in place of those that are known to do no more than that',
      )
      .optional(),
    ready: ready.optional(),
    drain: duration.describe("Time for the old generation to finish what it has. Default: '5s'").optional(),
    stop: z
      .strictObject({
        signal: signal.describe('What asks it to end. Default: SIGTERM').optional(),
        timeout: duration.describe("After that long it gets SIGKILL. Default: '5s'").optional(),
      })
      .optional(),
    idle: z
      .union([duration, z.literal(false)], { error: `${TIME}, or false` })
      .describe('It sleeps when no connection was open for that long. Default: false')
      .optional(),
    retry: z
      .strictObject({
        limit: z
          .int('must be a whole number')
          .nonnegative('must not be negative')
          .describe('Ends within `within` after which it has failed. Default: 5')
          .optional(),
        within: duration.describe("Default: '10s'").optional(),
        delay: duration.describe("Wait before it is started again. Default: '500ms'").optional(),
      })
      .optional(),
    needs: z.array(z.string()).describe('What must be ready before it starts').optional(),
    cwd: z.string().describe("Its working folder, relative to the configuration. Default: '.'").optional(),
    env: z
      .record(
        z.string(),
        z.union([z.string(), z.number(), z.boolean()], { error: 'must be a string, a number or a boolean' }),
      )
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a person writes them
      .describe('Its variables, with ${VAR}, ${VAR:-default}, ${api.url}, ${api.port}; $$ is a dollar sign')
      .optional(),
    envFile: strings.describe('Files with NAME=value lines, relative to cwd').optional(),
    onConflict: z
      .enum(['ask', 'fail', 'auto', 'use'])
      .describe('When somebody else has its port and nobody can be asked. Default: ask')
      .optional(),
    adopt: z
      .literal([true, false, 'preload', 'kernel'])
      .describe('How a program that knows nothing of devsock gets its socket. Default: true')
      .optional(),
    mode: z
      .enum(['listen', 'accept', 'relay'])
      .describe('listen: the program gets the listening socket')
      .optional(),
    task: z.boolean().describe('It runs to its end').optional(),
  })
  .describe('One program')

const SERVICE = 'must be a command, or an object with one'
const $schema = z.string().describe('The address of this schema, for editors').optional()
const name = z.string().describe("Default: the name in package.json, else the folder's").optional()

export const Written = z.strictObject({
  $schema,
  name,
  services: z
    .record(z.string(), z.union([z.string(), service], { error: SERVICE }))
    .describe("The project's programs by name; a string is a command"),
})

/** devsock.local.*: the same with nothing required. */
export const WrittenLocal = z.strictObject({
  $schema,
  name,
  services: z.record(z.string(), z.union([z.string(), service.partial()], { error: SERVICE })).optional(),
})

// The public types have the doc comments, these schemas the messages; the compiler keeps them the same.
type Identical<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Holds<T extends true> = T
export type Agreement = [
  Holds<Identical<z.input<typeof Written>, DevsockConfig>>,
  Holds<Identical<z.input<typeof WrittenLocal>, DevsockLocalConfig>>,
]
