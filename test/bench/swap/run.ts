import { fileURLToPath } from 'node:url'
import { Rig } from '../../rig/rig.ts'
import type { App } from './apps.ts'
import type { ClientOptions } from './client.ts'
import type { Contender } from './contenders.ts'
import type { LoadName } from './loads.ts'
import type { Recording } from './recording.ts'

/** Requests a second, and milliseconds between two saves. */
export const RATE = 200
export const SAVE_EVERY = 1500

const CLIENT = fileURLToPath(new URL('client.ts', import.meta.url))
/** A slow start, of the contender or of its client, ms. */
const PATIENCE = 30_000

export interface Cell {
  contender: Contender
  app: App
  load: LoadName
}

export const label = ({ contender, app, load }: Cell) => `${contender.name}: ${app.name}: ${load}`

/** One contender under one load. Everything is started for it, and gone when it returns. */
export async function run({ contender, app, load }: Cell, seconds: number): Promise<Recording> {
  await using rig = await Rig.create({ files: app.files })
  await app.prepare?.(rig)
  const port = await rig.port()
  await using _ = await contender.start(rig, app, port)
  const serves = async () => (await rig.request(port)).body.includes('v1')
  await rig.eventually(serves, { deadline: PATIENCE, what: `${contender.name} to serve` })
  const file = `${rig.dir}/${app.file}`
  const options: ClientOptions = { port, load, seconds, file, rate: RATE, saveEveryMs: SAVE_EVERY }
  const argv = [process.execPath, '--import', 'jiti/register', CLIENT, JSON.stringify(options)]
  const client = rig.spawn(argv, { cwd: fileURLToPath(new URL('../../..', import.meta.url)) })
  const { code, stderr, json } = await client.finished(seconds * 1000 + PATIENCE)
  if (code !== 0) throw new Error(`the client failed: ${stderr}`)
  return json() as Recording
}

/** Milliseconds from the start of the app, by hand, to its first answer. */
export async function boot(app: App): Promise<number> {
  await using rig = await Rig.create({ files: app.files })
  await app.prepare?.(rig)
  const port = await rig.port()
  const began = performance.now()
  await using _ = rig.spawn(['sh', '-c', `exec ${app.command}`], { env: { PORT: String(port) } })
  for (;;) {
    const answered = await rig.request(port).then(
      () => true,
      () => false,
    )
    if (answered) return performance.now() - began
    if (performance.now() - began > PATIENCE) throw new Error(`${app.name} does not answer`)
  }
}
