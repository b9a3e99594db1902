import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Notes in a file of JSON lines. Nothing is kept in memory: during a swap two generations have the file
 * open, and what the old one still adds must be in the next answer of the new one.
 */
export function openNotes(path) {
  mkdirSync(dirname(path), { recursive: true })
  return {
    all() {
      if (!existsSync(path)) return []
      return readFileSync(path, 'utf8').split('\n').flatMap(parse)
    },
    /** Returns when the note is on the disk. */
    add(note) {
      const fd = openSync(path, 'a')
      try {
        // The line end comes first too: a line that a crash cut short must not spoil this one.
        writeSync(fd, `\n${JSON.stringify(note)}\n`)
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
    },
  }
}

/** One note, or none where the line is empty or was cut short. */
function parse(line) {
  try {
    return [JSON.parse(line)]
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}
