import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { UpReply } from '../../proxy/protocol.ts'
import { Rig } from '../rig/rig.ts'
import { cpuOf } from './cpu.ts'
import { ms, type Row } from './measure.ts'

const PROJECTS = 10
const SERVICES = 100
const SOCKETS = PROJECTS * SERVICES
/** What `up` leaves to be done afterwards (garbage, first looks) is over by then, ms. */
const SETTLE = 3000
const IDLE_SECONDS = 10
/** What a thousand held sockets cost. */
export async function manySockets(): Promise<Row[]> {
  await using rig = await Rig.create()
  let bound = 0
  for (let n = 0; n < PROJECTS; n++) bound += await upProject(rig, `p${n}`)
  const [daemon, holder] = [await rig.daemonPid(), await rig.holderPid()]
  await pause(SETTLE)
  const cpu = await cpuOf([daemon, holder], IDLE_SECONDS)
  const memory = (await residentKb(holder)) / 1024
  const row = (what: string, devsock: string, value: number, goal: string, met: boolean): Row => ({
    what: `${SOCKETS} held sockets: ${what}`,
    devsock,
    against: '',
    value,
    goal,
    met,
  })
  return [
    row('until all are bound', ms(bound), bound, '≤ 1000 ms', bound <= 1000),
    row('memory of the holder', `${memory.toFixed(1)} MB`, memory, '≤ 10 MB', memory <= 10),
    row('CPU of holder and daemon, idle', `${cpu.toFixed(2)} %`, cpu, '≤ 0.5 %', cpu <= 0.5),
  ]
}

/** Milliseconds until all its sockets were held, as the daemon says. */
async function upProject(rig: Rig, name: string): Promise<number> {
  const services: Record<string, object> = {}
  for (let n = 0; n < SERVICES; n++) services[`s${n}`] = { command: ['true'], listen: await rig.port() }
  const dir = await rig.project(name, { 'devsock.config.json': { services } })
  const up = (await rig.up('-C', dir, '--json')).json() as UpReply
  return up.ms
}

async function residentKb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])
}
