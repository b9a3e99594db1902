import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative } from 'node:path'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.md': 'text/plain; charset=utf-8',
}

interface File {
  body: Buffer
  type: string
  /** Its name holds a hash of its content. */
  hashed: boolean
}

/**
 * The built page, read whole when it is first asked for: a request's path is a key of a map and never a path of
 * the disk, so there is nothing to escape from.
 */
export class StaticFiles {
  readonly #folder: string
  #files: Map<string, File> | null = null

  constructor(folder: string) {
    this.#folder = folder
  }

  answer({ method }: IncomingMessage, response: ServerResponse, pathname: string): void {
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 })
      return void response.end()
    }
    this.#files ??= readFiles(this.#folder)
    const file = this.#files.get(pathname === '/' ? '/index.html' : pathname)
    if (file === undefined) return sendText(response, 404, 'There is no such page.\n', method)
    response.writeHead(200, {
      'content-type': file.type,
      'content-length': file.body.length,
      'cache-control': file.hashed ? 'private, max-age=31536000, immutable' : 'no-cache',
    })
    response.end(method === 'HEAD' ? undefined : file.body)
  }
}

function sendText(response: ServerResponse, status: number, text: string, method: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': text.length })
  response.end(method === 'HEAD' ? undefined : text)
}

/** Empty where the page was not built: a daemon that runs from its sources. */
function readFiles(folder: string): Map<string, File> {
  const files = new Map<string, File>()
  for (const entry of readFolder(folder)) {
    const type = TYPES[extname(entry.name)]
    if (!entry.isFile() || type === undefined) continue
    const path = join(entry.parentPath, entry.name)
    const name = `/${relative(folder, path)}`
    files.set(name, { body: readFileSync(path), type, hashed: name.startsWith('/assets/') })
  }
  return files
}

function readFolder(folder: string) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
