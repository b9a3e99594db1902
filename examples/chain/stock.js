import { createServer } from 'node:http'

const PIECES = { pears: 12, plums: 40 }

const server = createServer((request, response) => {
  response.end(JSON.stringify({ pieces: PIECES[request.url.slice(1)] ?? 0 }))
})

server.listen(4642)
