import { fileURLToPath } from 'node:url'
import type { Command } from '../../rig/command.ts'
import type { Rig } from '../../rig/rig.ts'
import type { App } from './apps.ts'

/** What keeps an app running, and replaces it when its file is saved. */
export interface Contender {
  name: string
  start(rig: Rig, app: App, port: number): Promise<AsyncDisposable>
}

const bin = (name: string) => `node_modules/.bin/${name}`
const helper = (name: string) => fileURLToPath(new URL(`helpers/${name}`, import.meta.url))

const held = (name: string, more: object): Contender => ({
  name,
  async start(rig, { command, file }, port) {
    await rig.configure({ web: { command, listen: port, watch: [file], ...more } })
    await rig.up()
    return { [Symbol.asyncDispose]: async () => void (await rig.succeed('down')) }
  },
})

export const devsock = held('devsock', {})
/** For Node alone: nothing is booted ahead. */
export const plain = held('devsock, no standby', { standby: false })

/** One that is a command, run with its defaults. */
const command = (name: string, argv: (app: App, port: number) => string[]): Contender => ({
  name,
  start: async (rig, app, port) => rig.spawn(argv(app, port), { env: { PORT: String(port) } }),
})

export const peers: readonly Contender[] = [
  command('node --watch', ({ file }) => [process.execPath, '--watch', file]),
  // The signal of its default, SIGUSR2, is one that no other runner sends; a server that closes handles this one.
  command('nodemon', ({ file }) => [bin('nodemon'), '--quiet', '--signal', 'SIGTERM', '--watch', file, file]),
  command('tsx watch', ({ file }) => [bin('tsx'), 'watch', '--clear-screen=false', file]),
  pm2('pm2 --watch', ({ file }) => ({ script: file, watch: [file] })),
  pm2('pm2 reload', ({ file }) => ({ script: file, exec_mode: 'cluster', instances: 2 }), 'pm2-reload.cjs'),
  {
    name: 'Server::Starter',
    async start(rig, { file }, port) {
      const starter = rig.spawn(['start_server', `--port=127.0.0.1:${port}`, '--', process.execPath, file])
      const watcher = rig.spawn([process.execPath, helper('hup.cjs'), file, String(starter.pid)])
      return both(watcher, starter)
    },
  },
]

/** A pm2 of its own, which goes with the run. */
function pm2(name: string, config: (app: App) => object, reloader?: string): Contender {
  return {
    name,
    async start(rig, app, port) {
      const env = { PM2_HOME: `${rig.root}/pm2`, PORT: String(port) }
      await rig.write({ 'pm2.config.json': { apps: [{ name: 'web', ...config(app) }] } })
      const started = await rig.spawn([bin('pm2'), 'start', 'pm2.config.json'], { env }).finished()
      if (started.code !== 0) throw new Error(`pm2: ${started.stdout}${started.stderr}`)
      const end = async () => void (await rig.spawn([bin('pm2'), 'kill'], { env }).finished())
      const daemon = { [Symbol.asyncDispose]: end }
      if (!reloader) return daemon
      return both(rig.spawn([process.execPath, helper(reloader), app.file], { env }), daemon)
    },
  }
}

const both = (first: Command, second: AsyncDisposable): AsyncDisposable => ({
  async [Symbol.asyncDispose]() {
    await first[Symbol.asyncDispose]()
    await second[Symbol.asyncDispose]()
  },
})
