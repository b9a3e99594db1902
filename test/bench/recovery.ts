import { setTimeout as pause } from 'node:timers/promises'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'
import { median, ms, type Row } from './measure.ts'

const ROUNDS = 5
/** What ends soon after its start is started later each time, ms. */
const APART = 12_000

/** How soon what was killed is back. Servers and held ports do without it meanwhile. */
export async function recovery(): Promise<Row[]> {
  await using rig = await Rig.create({ files: { 'web.mjs': nodeServer() } })
  await rig.configure({ web: { command: ['node', 'web.mjs'], listen: await rig.port() } })
  await rig.up()
  return [
    await row(rig, 'Daemon killed: until the next one answers', () => rig.daemonPid()),
    await row(rig, 'Holder killed: until the next one has its sockets', () => rig.holderPid()),
  ]
}

async function row(rig: Rig, what: string, pidOf: () => Promise<number>): Promise<Row> {
  const took: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    await pause(APART)
    const killed = await pidOf()
    const began = performance.now()
    process.kill(killed, 'SIGKILL')
    await rig.eventually(async () => ![0, killed].includes(await pidOf()))
    took.push(performance.now() - began)
  }
  const value = median(took)
  return { what, devsock: ms(value), against: '', value, goal: '≤ 1000 ms', met: value <= 1000 }
}
