#!/usr/bin/env node
import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { EXIT } from '../proxy/protocol.ts'
import { dispatch } from './dispatch.ts'

/** A reader that has seen enough (`devsock logs | head`) is no error, and a terminal that has gone an interruption. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.interrupted)
}

/**
 * At its exit Node puts back how each terminal was (ResetStdio), and aborts with a dump where that fails because the
 * terminal has gone; a descriptor that is closed it leaves alone.
 */
function closeGoneTerminals(): void {
  for (const [fd, { isTTY }] of [stdin, stdout, stderr].entries()) if (isTTY && !isatty(fd)) closeSync(fd)
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

const { stdin, stdout, stderr, env } = process
stdout.on('error', endQuietly)
stderr.on('error', endQuietly)
process.on('exit', closeGoneTerminals)
// No top-level await: this is bundled as CommonJS (vite.config.ts).
dispatch(process.argv.slice(2), { stdin, stdout, stderr, env, cwd: currentFolder() }).then((code) => {
  process.exitCode = code
})
