/** Where the native products are: the addon, the holder, the preload library. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type NativeFile = 'devsock.node' | 'devsock-holder' | 'devsock-adopt.so'

const here = dirname(fileURLToPath(import.meta.url))

/**
 * The path of a native product, from the first folder that has it: DEVSOCK_NATIVE_DIR, which alone counts where
 * it is set (a test that means the sanitizer build must get no other) · beside the running module (the daemon
 * runs as a bundle in a folder of its own) · `prebuilds/<platform>-<arch>` of the package · native/build/Release.
 * Throws one line that says what to do when none has it.
 */
export function locate(file: NativeFile): string {
  const chosen = process.env.DEVSOCK_NATIVE_DIR
  const folders = chosen ? [chosen] : [here, ...packageRoots().flatMap(builds)]
  const found = folders.map((folder) => join(folder, file)).find((path) => existsSync(path))
  if (found) return found
  throw new Error(
    chosen
      ? `DEVSOCK_NATIVE_DIR is ${chosen}, which has no ${file}`
      : `devsock has no ${file} for ${process.platform}-${process.arch}: run "npm run build:native" in its folder (needs python3, make and a C++20 compiler)`,
  )
}

/** This file is native/locate.ts in the source and dist/native/locate.js in the package. */
const packageRoots = (): string[] =>
  [join(here, '..'), join(here, '..', '..')].filter((folder) => existsSync(join(folder, 'package.json')))

const builds = (root: string): string[] => [
  join(root, 'prebuilds', `${process.platform}-${process.arch}`),
  join(root, 'native', 'build', 'Release'),
]
