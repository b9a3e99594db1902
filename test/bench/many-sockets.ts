import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { UpReply } from '../../proxy/protocol.ts'
import { Rig } from '../rig/rig.ts'
import { ms, type Row } from './measure.ts'

const PROJECTS = 10
const SERVICES = 100
const SOCKETS = PROJECTS * SERVICES
/** What `up` leaves to be done afterwards (garbage, first looks) is over by then, ms. */
const SETTLE = 3000
const IDLE_SECONDS = 10
/** USER_HZ, the unit of proc_pid_stat(5): 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100

/** What a thousand held sockets cost. */
export async function manySockets(): Promise<Row[]> {
  await using rig = await Rig.create()
  let bound = 0
  for (let n = 0; n < PROJECTS; n++) bound += await upProject(rig, `p${n}`)
  const [daemon, holder] = [await rig.daemonPid(), await rig.holderPid()]
  await pause(SETTLE)
  const before = (await cpuTicks(daemon)) + (await cpuTicks(holder))
  await pause(IDLE_SECONDS * 1000)
  const ticks = (await cpuTicks(daemon)) + (await cpuTicks(holder)) - before
  const cpu = (100 * ticks) / TICKS_A_SECOND / IDLE_SECONDS
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

async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

async function residentKb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])
}
