import { statSync } from 'node:fs'
import { locate } from '../../native/locate.ts'
import { Rig } from '../rig/rig.ts'
import { compile, held, systemd } from './cold-start.ts'
import { compare, ms, type Row, ratioRow, type Variant } from './measure.ts'

const COLD_ROUNDS = 50
const THROUGHPUT_ROUNDS = 9
const BINDS = 300
const STARTS = 500

/** What it costs a program that it binds its port by itself. */
export async function adoption(): Promise<Row[]> {
  await using rig = await Rig.create()
  const [cPort, goPort, handPort] = [await rig.port(), await rig.port(), await rig.port()]
  const c = `${rig.dir}/adopted`
  const go = `${rig.dir}/go`
  compile(rig, 'adopted.c', 'adopted')
  compile(rig, 'server.go', 'go')
  await rig.write({
    'devsock.config.json': {
      services: {
        c: { command: [c, 'binds', String(BINDS)], listen: cPort },
        go: { command: [go], listen: goPort },
      },
    },
  })
  await rig.up()
  await rig.request(cPort)
  const library = locate('devsock-adopt.so')
  const start = await figure(rig, [c, 'starts', String(STARTS), library], /start (-?[\d.]+) ms/)
  const bind = Number(/bind ([\d.]+) ms/.exec((await rig.succeed('logs', 'c')).stdout)?.[1])
  const kib = statSync(library).size / 1024

  rig.spawn([c], { env: { PORT: String(handPort) } })
  await rig.eventually(async () => (await rig.request(handPort)).status === 200)
  const rates = await compare([wrk(rig, 'adopted', cPort), wrk(rig, 'by hand', handPort)], THROUGHPUT_ROUNDS)

  const cold = await compare(
    [held(rig, 'go', goPort), await systemd(rig, 'systemd-socket-activate', [go, 'inherit'])],
    COLD_ROUNDS,
  )
  const row = (what: string, devsock: string, value: number, goal: string, met: boolean): Row => ({
    what,
    devsock,
    against: '',
    value,
    goal,
    met,
  })
  const rate = (value: number) => `${Math.round(value)}/s`
  return [
    row('Preload library: added to a process start', ms(start), start, '≤ 0.5 ms', start <= 0.5),
    row('Preload library: size', `${kib.toFixed(0)} KB`, kib, '≤ 100 KB', kib <= 100),
    row('bind() of a held port, asked of the holder', ms(bind), bind, '≤ 1 ms', bind <= 1),
    ratioRow('Connections a second, adopted C', rates, ['adopted', 'by hand'], 0.97, 'higher', rate),
    ratioRow('First byte, cold, a static Go server', cold, ['go', 'systemd-socket-activate'], 1.3),
  ]
}

async function figure(rig: Rig, command: string[], pattern: RegExp): Promise<number> {
  const { code, stdout, stderr } = await rig.spawn(command).finished()
  const found = pattern.exec(stdout)?.[1]
  if (code !== 0 || found === undefined) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`)
  return Number(found)
}

/** A connection for each request: what is compared is accept(). */
const wrk = (rig: Rig, name: string, port: number): Variant => ({
  name,
  reset: async () => {},
  async run() {
    const { stdout, stderr } = await rig
      .spawn(['wrk', '-t1', '-c16', '-d2s', '-H', 'Connection: close', `http://127.0.0.1:${port}/`])
      .finished()
    const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]
    if (!rate || /Non-2xx/.test(stdout)) throw new Error(`wrk: ${stdout}${stderr}`)
    return Number(rate)
  },
})
