import { createServer } from 'node:http'

let answered = 0

createServer((request, response) => {
  answered += 1
  response.end(`hello from pid ${process.pid}, answer ${answered} to ${request.url}\n`)
}).listen(process.env.LISTEN_FDS ? { fd: 3 } : 4610)
