/**
 * The client of one run, a process of its own so that nothing else of the bench delays it: sends the load, saves
 * the file, and looks for the new code after each save. It is one process because then one clock tells whether a
 * request began before a save or after it. Prints a Recording.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Load, type Sample } from '../../rig/load.ts'
import { request } from '../../rig/request.ts'
import { asker, type LoadName } from './loads.ts'
import type { Recording, Save } from './recording.ts'

export interface ClientOptions {
  port: number
  load: LoadName
  rate: number
  seconds: number
  saveEveryMs: number
  /** The file to save. */
  file: string
}

/** Between two looks for the new code, ms. */
const LOOK_MS = 1

const options: ClientOptions = JSON.parse(process.argv[2] ?? '')
const { port, load, rate, seconds, saveEveryMs, file } = options

const samples: Sample[] = []
const saves: Save[] = []
const looks: Promise<void>[] = []
const before = process.cpuUsage()
const began = performance.now()
const running = new Load({ rate, ask: asker(load, port), onSample: (sample) => samples.push(sample) })
const end = began + seconds * 1000
// The last save has its time, too.
for (let at = began + saveEveryMs; at + saveEveryMs <= end; at += saveEveryMs) {
  await pause(at - performance.now())
  looks.push(look(save(), at + saveEveryMs))
}
await pause(end - performance.now())
const { failures } = await running.stop()
await Promise.all(looks)
const { user, system } = process.cpuUsage(before)
const cpu = (user + system) / 1000 / (performance.now() - began)
const recording: Recording = { samples, saves, failures, cpu }
// A keep-alive client's connection would hold the process until its server lets go.
process.stdout.write(JSON.stringify(recording), () => process.exit())

/** As editors do: truncate, write, close. On disk means that this has returned. */
function save(): Save {
  const version = saves.length + 2
  const content = readFileSync(file, 'utf8').replace(/\bv\d+\b/, `v${version}`)
  writeFileSync(file, content)
  const saved: Save = { version, at: performance.now(), newCodeMs: null }
  saves.push(saved)
  return saved
}

/** Asks one thing after the other, each on a connection of its own, until the answer is the new code's. */
async function look(saved: Save, until: number): Promise<void> {
  while (performance.now() < until) {
    const body = await request(port, '/', { deadline: saveEveryMs }).then(
      (answer) => answer.body,
      () => '',
    )
    if (Number(/^v(\d+)/.exec(body)?.[1]) >= saved.version) {
      saved.newCodeMs = performance.now() - saved.at
      return
    }
    await pause(LOOK_MS)
  }
}
