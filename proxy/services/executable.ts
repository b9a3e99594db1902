/**
 * What a program's file says of it: whether the preload library would be in the process, and stand before its
 * bind(). ELF as in elf(5); the numbers are from there.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { basename, delimiter, resolve } from 'node:path'
import { unlessGone } from './processes.ts'

const PT_INTERP = 3
const PT_NOTE = 4
/** More program headers, or longer notes, than any linker writes. */
const MOST_HEADERS = 64
const MOST_NOTES = 4096
/** `sh -c 'exec PROGRAM …'`, which is what a simple command line becomes (proxy/config/shell-command.ts). */
const EXEC = /^exec\s+([\w./+@%-]+)(\s|$)/

/** Programs that start others, which may be of any kind. */
const STARTERS = /^(?:(?:ba|da|a|z|k|fi)?sh|busybox|env|make|just|nice|timeout|setsid|xargs)$/
/** `#!/usr/bin/env node`, `#!/bin/sh -e`: the program, and its first argument. */
const INTERPRETER = /^#![ \t]*(\S+)(?:[ \t]+(?:-S[ \t]+)?([^\s=-]\S*))?/

/**
 * How programs of this file call bind(): through `libc` · past it, to the `kernel` (no ld.so is in a static program,
 * and Go needs no libc for it even where it is linked dynamically) · `starter`: as whatever it starts does · null:
 * not known.
 */
export type Nature = 'libc' | 'kernel' | 'starter' | null

export interface Program {
  file: string | null
  nature: Nature
}

/** What is executed first. What cannot be read has no nature, and execve() will say more about it. */
export function programOf({ argv, cwd, path }: Command): Program {
  const [shell = '', flag, line = ''] = argv
  const name = shell === '/bin/sh' && flag === '-c' ? (EXEC.exec(line)?.[1] ?? shell) : shell
  const file = find(name, cwd, path)
  return { file, nature: file === null ? null : natureOf(file, (other) => find(other, cwd, path)) }
}

interface Command {
  argv: readonly string[]
  cwd: string
  path: string | undefined
}

function find(name: string, cwd: string, path = ''): string | null {
  if (name.includes('/')) return resolve(cwd, name)
  const files = path.split(delimiter).map((folder) => resolve(cwd, folder, name))
  return files.find((file) => unlessUnreadable(() => isProgram(file))) ?? null
}

/** `depth`: scripts may be each other's interpreters; the kernel follows four (execve(2)). */
function natureOf(file: string, find: (name: string) => string | null, depth = 4): Nature {
  const seen = unlessUnreadable(() => readNature(file)) ?? null
  if (seen === null || typeof seen === 'string') return seen
  const [interpreter, argument] = seen.interpreter
  const named = basename(interpreter) === 'env' && argument !== undefined ? find(argument) : interpreter
  return named === null || depth === 0 ? null : natureOf(named, find, depth - 1)
}

function isProgram(file: string): boolean {
  accessSync(file, constants.X_OK)
  return statSync(file).isFile()
}

function readNature(file: string): Nature | { interpreter: [path: string, argument?: string] } {
  // A FIFO of that name would wait for its writer.
  if (!isProgram(file)) return null
  const fd = openSync(file, 'r')
  try {
    const read = (at: number, size: number): Buffer => {
      const bytes = Buffer.alloc(size)
      return bytes.subarray(0, readSync(fd, bytes, 0, size, at))
    }
    const head = read(0, 256)
    const [, interpreter, argument] = INTERPRETER.exec(head.toString('latin1')) ?? []
    if (interpreter !== undefined) return { interpreter: [interpreter, argument] }
    // 64 bits, little endian: those that devsock runs on.
    if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return null
    const [start, size, count] = [
      Number(head.readBigUInt64LE(32)),
      head.readUInt16LE(54),
      head.readUInt16LE(56),
    ]
    if (size < 56 || count > MOST_HEADERS) return null
    const table = read(start, size * count)
    const headers = Array.from({ length: Math.floor(table.length / size) }, (_, at) => {
      const header = table.subarray(at * size, (at + 1) * size)
      return {
        type: header.readUInt32LE(0),
        offset: Number(header.readBigUInt64LE(8)),
        length: Number(header.readBigUInt64LE(32)),
      }
    })
    if (!headers.some(({ type }) => type === PT_INTERP)) return 'kernel'
    const isGo = headers.some(
      ({ type, offset, length }) =>
        type === PT_NOTE && read(offset, Math.min(length, MOST_NOTES)).includes(GO_BUILD_ID),
    )
    if (isGo) return 'kernel'
    return STARTERS.test(basename(file)) ? 'starter' : 'libc'
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
