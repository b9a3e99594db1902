import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of the package this file belongs to: it is one level up in a checkout, two in the built package. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

export function packageVersion(): string {
  const manifest: { version?: string } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  return manifest.version ?? '0.0.0'
}

/** Negative when `a` is the older one. Pre-releases sort before their release, among themselves as text (enough here). */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)]
  for (const [index, number] of left.numbers.entries()) {
    const difference = number - (right.numbers[index] ?? 0)
    if (difference !== 0) return difference
  }
  if (left.label === right.label) return 0
  if (left.label === '' || right.label === '') return left.label === '' ? 1 : -1
  return left.label < right.label ? -1 : 1
}

function parseVersion(version: string): { numbers: number[]; label: string } {
  const [numbers = '', ...label] = version.split('-')
  return { numbers: numbers.split('.').map((each) => Number.parseInt(each, 10) || 0), label: label.join('-') }
}
