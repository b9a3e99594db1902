import { fileURLToPath } from 'node:url'
import { Rig } from '../rig/rig.ts'
import { compare, type Row, ratioRow, type Variant } from './measure.ts'

const ROUNDS = 9
const server = [process.execPath, fileURLToPath(new URL('servers/server.mjs', import.meta.url))]

/** Requests a second through a held socket and to the same server run by hand. */
export async function throughput(): Promise<Row[]> {
  await using rig = await Rig.create()
  const heldPort = await rig.port()
  const handPort = await rig.port()
  await rig.write({ 'devsock.config.json': { services: { web: { command: server, listen: heldPort } } } })
  await rig.up()
  rig.spawn(server, { env: { PORT: String(handPort) } })
  await rig.request(heldPort)
  await rig.eventually(async () => (await rig.request(handPort)).status === 200)
  const medians = await compare([wrk(rig, 'held', heldPort), wrk(rig, 'by hand', handPort)], ROUNDS)
  const print = (value: number) => `${Math.round(value)}/s`
  return [ratioRow('Requests a second, Node', medians, ['held', 'by hand'], 0.98, 'higher', print)]
}

const wrk = (rig: Rig, name: string, port: number): Variant => ({
  name,
  reset: async () => {},
  async run() {
    const command = rig.spawn(['wrk', '-t1', '-c32', '-d2s', `http://127.0.0.1:${port}/`])
    const { stdout, stderr } = await command.finished()
    const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]
    if (!rate || /Socket errors|Non-2xx/.test(stdout)) throw new Error(`wrk: ${stdout}${stderr}`)
    return Number(rate)
  },
})
