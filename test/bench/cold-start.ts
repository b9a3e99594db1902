import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from '../rig/command.ts'
import { eventually } from '../rig/eventually.ts'
import { Rig } from '../rig/rig.ts'
import { compare, firstByte, type Row, ratioRow, type Variant } from './measure.ts'

const ROUNDS = 50
/** Everybody gets this long to come to rest before the connection, ms. */
const SETTLE = 20

const source = (name: string) => fileURLToPath(new URL(`servers/${name}`, import.meta.url))

/** First byte of a service that does not run: devsock, a parent that forks and execs, systemd-socket-activate. */
export async function coldStart(): Promise<Row[]> {
  await using rig = await Rig.create()
  const nodePort = await rig.port()
  const cPort = await rig.port()
  const node = [process.execPath, source('server.mjs')]
  const c = [`${rig.dir}/server`]
  const spawn = `${rig.dir}/spawn`
  compile(rig, 'server.c', 'server')
  compile(rig, 'spawn.c', 'spawn')
  await rig.write({
    'devsock.config.json': {
      services: { node: { command: node, listen: nodePort }, c: { command: c, listen: cPort } },
    },
  })
  await rig.up()
  const medians = await compare(
    [
      held(rig, 'node', nodePort),
      await parent(rig, 'fork+exec, Node', spawn, node),
      held(rig, 'c', cPort),
      await systemd(rig, 'systemd-socket-activate', c),
    ],
    ROUNDS,
  )
  return [
    ratioRow('First byte, cold, a small Node server', medians, ['node', 'fork+exec, Node'], 1.08),
    ratioRow('First byte, cold, a C server', medians, ['c', 'systemd-socket-activate'], 1.5),
  ]
}

/** C, dynamic; Go, static. */
export function compile(rig: Rig, from: string, to: string): void {
  const command = from.endsWith('.go')
    ? ['go', 'build', '-o', to, source(from)]
    : ['cc', '-O2', '-Wall', '-Wextra', '-Werror', '-o', to, source(from)]
  const [file = '', ...args] = command
  execFileSync(file, args, { cwd: rig.dir, env: { ...process.env, CGO_ENABLED: '0' }, stdio: 'inherit' })
}

export const held = (rig: Rig, name: string, port: number): Variant => ({
  name,
  async reset() {
    await rig.devsock('sleep', name)
    await rig.eventually(async () => (await rig.service(name)).state === 'held')
    await pause(SETTLE)
  },
  run: () => firstByte(port),
})

async function parent(rig: Rig, name: string, spawn: string, server: string[]): Promise<Variant> {
  const port = await rig.port()
  const command = rig.spawn([spawn, String(port), ...server])
  await eventually(() => command.stdout.includes('listening'))
  const pids = () => command.stdout.trim().split('\n').slice(1).map(Number)
  return {
    name,
    async reset() {
      const pid = pids().at(-1)
      if (pid !== undefined) await end(pid)
      await pause(SETTLE)
    },
    async run() {
      const before = pids().length
      const took = await firstByte(port)
      await eventually(() => pids().length > before)
      return took
    },
  }
}

/** It execs the server in its own place, so every round needs another one. */
export async function systemd(rig: Rig, name: string, server: string[]): Promise<Variant> {
  const port = await rig.port()
  let command: Command | undefined
  return {
    name,
    async reset() {
      await command?.[Symbol.asyncDispose]()
      command = rig.spawn(['systemd-socket-activate', '-l', String(port), ...server])
      const started = command
      await eventually(() => /Listening on/.test(started.stderr), { what: 'systemd-socket-activate' })
      await pause(SETTLE)
    },
    run: () => firstByte(port),
  }
}

/** The server is the parent's child: reaped by it, and gone when a signal finds nobody. */
async function end(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM')
  await eventually(() => {
    try {
      return !process.kill(pid, 0)
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'ESRCH'
    }
  })
}
