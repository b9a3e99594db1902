import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { page } from './page.js'

/** The API's port, not its process: it may not run yet, or be a newer one by the next request. */
const API = process.env.DEVSOCK_API_URL ?? 'http://localhost:4601'
const style = readFileSync(new URL('style.css', import.meta.url))

/** One connection a call: one that is kept open would be kept to a generation that may be on its way out. */
const api = (init = {}) =>
  fetch(new URL('/notes', API), { ...init, headers: { ...init.headers, connection: 'close' } })

async function addNote(request) {
  const { author, text: note } = Object.fromEntries(new URLSearchParams(await text(request)))
  const body = JSON.stringify({ author, text: note })
  await api({ method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/style.css') {
      response.writeHead(200, { 'content-type': 'text/css' }).end(style)
    } else if (request.method === 'POST') {
      await addNote(request)
      response.writeHead(303, { location: '/' }).end()
    } else if (request.url === '/') {
      const began = performance.now()
      const { notes, ...apiProcess } = await (await api()).json()
      const html = page({ notes, api: apiProcess, ms: performance.now() - began })
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html)
    } else {
      response.writeHead(404).end('not found\n')
    }
  } catch (error) {
    response.writeHead(502).end(`the api did not answer: ${error.cause?.message ?? error.message}\n`)
  }
})

server.listen(process.env.LISTEN_FDS ? { fd: 3 } : 4600)
