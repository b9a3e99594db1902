/** How a process that was booted ahead of its save waits. */
import { Ahead } from './ahead.ts'
import { TRY_AGAIN } from './try-again.ts'

/** Waits here until the holder calls it. Throws where it may not wait, or has lost its holder. */
export function standBy(fd: number): void {
  const { env } = process
  const packages: string[] | 'known' = JSON.parse(env.DEVSOCK_AHEAD || '[]')
  // The first process of a generation alone has these.
  delete env.DEVSOCK_STANDBY
  delete env.DEVSOCK_AHEAD
  const { closeSync, readSync, writeSync } = require('node:fs') as typeof import('node:fs')
  const ahead = new Ahead(packages)
  writeSync(fd, 'w')
  if (readSync(fd, Buffer.alloc(1)) !== 1) throw new Error('the holder is no more')
  closeSync(fd)
  if (!ahead.isCurrent()) process.exit(TRY_AGAIN)
  ahead.offer()
}
