import { createServer } from 'node:http'

const CENTS = { pears: 45, plums: 15 }

const server = createServer((request, response) => {
  response.end(JSON.stringify({ cents: CENTS[request.url.slice(1)] ?? null }))
})

server.listen(4643)
