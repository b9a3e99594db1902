/**
 * What a program's file says of it: whether the preload library would be in the process, and stand before its
 * bind(). ELF as in elf(5); the numbers are from there.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { unlessGone } from './processes.ts'

const PT_INTERP = 3
const PT_NOTE = 4
/** More program headers, or longer notes, than any linker writes. */
const MOST_HEADERS = 64
const MOST_NOTES = 4096
/** `sh -c 'exec PROGRAM …'`, which is what a simple command line becomes (proxy/config/shell-command.ts). */
const EXEC = /^exec\s+([\w./+@%-]+)(\s|$)/

/**
 * A static program has no ld.so, and Go calls the kernel by itself even where it is linked dynamically. False for
 * whatever cannot be read, which execve() will say more about.
 */
export function bypassesLibc(program: {
  argv: readonly string[]
  cwd: string
  path: string | undefined
}): boolean {
  const file = find(program)
  return file !== null && (unlessUnreadable(() => readsAsSuch(file)) ?? false)
}

function find({ argv, cwd, path = '' }: Parameters<typeof bypassesLibc>[0]): string | null {
  const [shell = '', flag, line = ''] = argv
  const name = shell === '/bin/sh' && flag === '-c' ? (EXEC.exec(line)?.[1] ?? shell) : shell
  if (name.includes('/')) return resolve(cwd, name)
  const files = path.split(delimiter).map((folder) => resolve(cwd, folder, name))
  return files.find((file) => unlessUnreadable(() => isProgram(file))) ?? null
}

function isProgram(file: string): boolean {
  accessSync(file, constants.X_OK)
  return statSync(file).isFile()
}

function readsAsSuch(file: string): boolean {
  // A FIFO of that name would wait for its writer.
  if (!isProgram(file)) return false
  const fd = openSync(file, 'r')
  try {
    const read = (at: number, size: number): Buffer => {
      const bytes = Buffer.alloc(size)
      return bytes.subarray(0, readSync(fd, bytes, 0, size, at))
    }
    const head = read(0, 64)
    // 64 bits, little endian: those that devsock runs on.
    if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1)
      return false
    const [start, size, count] = [
      Number(head.readBigUInt64LE(32)),
      head.readUInt16LE(54),
      head.readUInt16LE(56),
    ]
    if (size < 56 || count > MOST_HEADERS) return false
    const table = read(start, size * count)
    const headers = Array.from({ length: Math.floor(table.length / size) }, (_, at) => {
      const header = table.subarray(at * size, (at + 1) * size)
      return {
        type: header.readUInt32LE(0),
        offset: Number(header.readBigUInt64LE(8)),
        length: Number(header.readBigUInt64LE(32)),
      }
    })
    if (!headers.some(({ type }) => type === PT_INTERP)) return true
    return headers.some(
      ({ type, offset, length }) =>
        type === PT_NOTE && read(offset, Math.min(length, MOST_NOTES)).includes(GO_BUILD_ID),
    )
  } finally {
    closeSync(fd)
  }
}

/** Type 4, owner `Go`: the section .note.go.buildid. */
const GO_BUILD_ID = Buffer.from('\x04\0\0\0Go\0\0', 'latin1')

function unlessUnreadable<T>(look: () => T): T | null {
  try {
    return unlessGone(look)
  } catch (error) {
    if (
      /^(EACCES|EPERM|ENOTDIR|ELOOP|EISDIR|ENAMETOOLONG)$/.test((error as NodeJS.ErrnoException).code ?? '')
    )
      return null
    throw error
  }
}
