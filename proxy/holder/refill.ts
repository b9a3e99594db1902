import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { bindDatagram, holderPath } from '../../native/index.ts'
import { Holder, type OnEvent } from './client.ts'
import { HolderError, HolderLost } from './error.ts'
import type { HolderEvent } from './event.ts'
import { type Leader, runningInvocations } from './invocations.ts'
import type { Mirror } from './mirror.ts'
import type { GenerationSpec } from './spec.ts'

/** How a holder is started by the daemon that outlived the last one. */
export interface HolderProgram {
  runtimeDir: string
  /** The holder's log. */
  log: string
  /** The lock of the runtime folder, which this process inherited from the holder (DEVSOCK_LOCK_FD). */
  lockFd: number
  /** How that holder starts a daemon, should this one end. */
  daemonArgv: readonly string[]
}

export const holderSocket = (runtimeDir: string): string => join(runtimeDir, 'holder.sock')

const START_DEADLINE_MS = 5_000
/** In-flight descriptors of a user are limited (ETOOMANYREFS); answers show that these have arrived. */
const SOCKETS_AT_ONCE = 32

/** Starts a holder that adopts this daemon, and connects to it. Rejects when it ends, or does not answer, instead. */
export async function startHolder(
  program: HolderProgram,
  onEvent: OnEvent,
  onClose: (error: HolderLost) => void,
): Promise<Holder> {
  const { runtimeDir, log, lockFd, daemonArgv } = program
  const options = ['--runtime', runtimeDir, '--log', log, '--lock-fd', '3', '--adopt', '--', ...daemonArgv]
  const child = spawn(holderPath(), options, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', lockFd],
  })
  let ended: string | null = null
  child.once('error', (error) => {
    ended = error.message
  })
  child.once('exit', (code, signal) => {
    ended = `it ended at once (${signal ?? `exit ${code}`}); see ${log}`
  })
  child.unref()

  const deadline = performance.now() + START_DEADLINE_MS
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    await pause(wait)
    if (ended !== null) throw new HolderError('ECHILD', 'spawn', ended)
    try {
      return await Holder.connect(holderSocket(runtimeDir), onEvent, onClose)
    } catch (error) {
      // The dead one's socket file refuses, until the new one has replaced it.
      if (performance.now() > deadline || !isNotThereYet(error)) {
        child.kill('SIGKILL')
        throw error
      }
    }
  }
}

/**
 * Gives a holder all that the mirror has, and tells what happened while there was no holder to see it. Rejects
 * with HolderLost when this one dies too.
 */
export async function refill(
  holder: Holder,
  mirror: Mirror,
  tell: (missed: HolderEvent) => void,
  report: (line: string) => void,
): Promise<void> {
  const sockets = [...mirror.sockets.values()]
  for (let from = 0; from < sockets.length; from += SOCKETS_AT_ONCE) {
    const batch = sockets.slice(from, from + SOCKETS_AT_ONCE)
    await Promise.all(
      batch.map((socket) =>
        holder.store(socket).catch(refused((why) => report(`${socket.name} is lost: ${why}`))),
      ),
    )
  }

  const { armed, starting, generations } = mirror
  // An armed spec of an earlier daemon may have fired: its invocation was in nobody's hands.
  const unknown = [...generations.values()].some(({ invocation }) => invocation === '')
  const running =
    unknown || armed.size + starting.size > 0 ? await runningInvocations() : new Map<string, Leader>()
  const leaders = [...running.values()]
  for (const generation of [...generations.values()]) {
    generation.invocation ||= leaders.find(({ pid }) => pid === generation.pid)?.invocation ?? ''
    const { id } = generation
    await holder.adopt(generation).catch(
      refused((why, code) => {
        if (code !== 'ESRCH') return report(`${id} goes on without a holder: ${why}`)
        tell({ type: 'exited', id, code: null, signal: null, left: 0 })
        tell({ type: 'gone', id })
      }),
    )
  }

  // Between its fork and the news of it a holder can die: what it started then is found by its invocation. Its
  // notify socket died with the holder, so another one takes the place that its environment names.
  const takeOver = async ({ id, invocation, slots }: GenerationSpec): Promise<Leader | null> => {
    const leader = running.get(invocation)
    if (!leader || generations.has(id)) return null
    const { pid, startTime, notifyPath } = leader
    const notify = notifyPath === null ? null : bindDatagram(notifyPath)
    const generation = {
      id,
      invocation,
      slots: [...slots],
      pid,
      startTime,
      ready: false,
      notify,
      binds: null,
    }
    mirror.started(generation)
    await holder.adopt(generation)
    return leader
  }
  // These are asked for again, and the answer is then what runs.
  for (const spec of starting.values()) await takeOver(spec).catch(refused(report))
  for (const [key, spec] of [...armed]) {
    const leader = await takeOver(spec).catch(refused(report))
    if (leader) {
      const { pid, startTime } = leader
      tell({ type: 'spawned', key, id: spec.id, pid, startTime, socket: spec.slots[0]?.name ?? '' })
    } else {
      await holder.arm(key, spec).catch(refused((why) => report(`${key} waits for no connection: ${why}`)))
    }
  }

  for (const [id, { lane, files }] of mirror.tripwires) {
    await holder.tripwire(id, lane, files).catch(refused(report))
  }
  for (const { name, index } of mirror.watched.values()) {
    await holder.watch(name, index).catch(refused(report))
  }
}

/** Handles a refusal; the loss of the holder goes on up. */
const refused =
  (then: (why: string, code: string) => void) =>
  (error: unknown): null => {
    if (error instanceof HolderLost || !(error instanceof HolderError)) throw error
    then(`${error.syscall}: ${error.code}: ${error.message}`, error.code)
    return null
  }

const isNotThereYet = (error: unknown): boolean =>
  error instanceof HolderLost ||
  (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED'))
