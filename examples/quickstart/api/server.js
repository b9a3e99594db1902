import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { openNotes } from './notes.js'

const notes = openNotes('data/notes.jsonl')
const MAX_LENGTH = 280

async function answer(request) {
  if (request.url !== '/notes') return [404, { error: 'only /notes is here' }]
  if (request.method === 'GET') return [200, { notes: notes.all(), ...whoAnswers() }]
  if (request.method !== 'POST') return [405, { error: 'GET or POST' }]
  const { author, text } = await json(request)
  if (typeof text !== 'string' || !text.trim()) return [422, { error: 'a note needs a text' }]
  const note = {
    author: String(author || 'somebody').slice(0, 40),
    text: text.trim().slice(0, MAX_LENGTH),
    at: new Date().toISOString(),
  }
  notes.add(note)
  return [201, note]
}

const whoAnswers = () => ({ pid: process.pid, generation: process.env.DEVSOCK_GENERATION ?? 'none' })

const server = createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [400, { error: error.message }])
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})

// fd 3 is the listener that devsock holds. Without devsock this is an ordinary server on its port.
server.listen(process.env.LISTEN_FDS ? { fd: 3 } : 4601)
console.log(`api: ${notes.all().length} notes`)
