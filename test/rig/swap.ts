import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Rig } from './rig.ts'

/** A project with one service, `api`, whose `api.mjs` is swapped when it is saved. */
export async function swapOnSave(
  source: string,
  more: object = {},
  files: Record<string, string> = {},
): Promise<{ rig: Rig; port: number }> {
  const rig = await Rig.create({ files: { 'api.mjs': source, ...files } })
  const port = await rig.port()
  await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'], ...more } })
  await rig.up()
  return { rig, port }
}

/** Resolves when what was saved is ready. */
export async function taken(rig: Rig): Promise<void> {
  const wanted = { for: 'ready', timeoutMs: 30_000, sweep: true }
  const { status, body } = await rig.api('POST', '/v1/services/shop/api/wait', wanted)
  if (status !== 200) throw new Error(`the save was not taken: ${body}\n${await rig.dump()}`)
}

/** Whether that holder waits for a change. */
export async function isArmed(holder: number): Promise<boolean> {
  const folder = `/proc/${holder}/fd`
  const targets = (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => ''))
  return (await Promise.all(targets)).includes('anon_inode:inotify')
}

/** Resolves when the holder waits for one. */
export const armed = (rig: Rig) =>
  rig.eventually(async () => isArmed(await rig.holderPid()), { what: 'a tripwire' })
