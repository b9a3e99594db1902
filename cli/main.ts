#!/usr/bin/env node
import { dispatch } from './dispatch.ts'

/** A reader that has seen enough (`devsock logs | head`), or a terminal that has gone, is no error. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  process.exit(0)
}

/** A shell may stand in a folder that somebody removed; $PWD still has its name, for the message. */
function currentFolder(): string {
  try {
    return process.cwd()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return process.env.PWD ?? '/'
  }
}

process.stdout.on('error', endQuietly)
process.stderr.on('error', endQuietly)
const { stdin, stdout, stderr, env } = process
// No top-level await: this is bundled as CommonJS (vite.config.ts).
dispatch(process.argv.slice(2), { stdin, stdout, stderr, env, cwd: currentFolder() }).then((code) => {
  process.exitCode = code
})
