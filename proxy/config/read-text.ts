import { readFile } from 'node:fs/promises'

export type ReadText = { ok: true; text: string } | { ok: false; reason: string }

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it is not readable for this user',
  EISDIR: 'it is a folder',
}

/** The content of a file that a person named, or why it cannot be read. */
export async function readText(file: string): Promise<ReadText> {
  try {
    return { ok: true, text: await readFile(file, 'utf8') }
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    return { ok: false, reason: REASONS[code] ?? message }
  }
}
