import { createServer } from 'node:http'

/** An ordinary server that asks another one. Nothing here, and nothing in the configuration, says who needs whom. */
const server = createServer(async (request, response) => {
  const answer = await fetch('http://localhost:4641/pears')
  const { fruit, pieces, cents } = await answer.json()
  console.log(`${request.method} ${request.url}`)
  response.end(`${pieces} ${fruit} at ${cents} cents\n`)
})

server.listen(4640)
