import { Rig } from '../rig/rig.ts'
import { compare, type Row, ratioRow, type Variant } from './measure.ts'

/** How long the command line takes to answer, against Node doing nothing. */
export async function status(): Promise<Row[]> {
  await using rig = await Rig.create()
  const port = await rig.port()
  await rig.write({ 'devsock.config.json': { services: { web: { command: ['true'], listen: port } } } })
  await rig.up()
  const timed = (name: string, start: () => ReturnType<Rig['start']>): Variant => ({
    name,
    reset: async () => {},
    async run() {
      const began = performance.now()
      const { code, stderr } = await start().finished()
      if (code !== 0) throw new Error(`${name} exited with ${code}: ${stderr}`)
      return performance.now() - began
    },
  })
  const medians = await compare(
    [
      timed('status', () => rig.start('status', '--json')),
      timed('node -e 0', () => rig.spawn([process.execPath, '-e', '0'])),
    ],
    20,
  )
  return [ratioRow('`devsock status --json`', medians, ['status', 'node -e 0'], 2)]
}
