import { createServer } from 'node:http'

const ask = async (port, fruit) => (await fetch(`http://localhost:${port}/${fruit}`)).json()

const server = createServer(async (request, response) => {
  const fruit = request.url.slice(1)
  const [stock, price] = await Promise.all([ask(4642, fruit), ask(4643, fruit)])
  console.log(`${fruit}: asked stock and prices`)
  response.end(JSON.stringify({ fruit, ...stock, ...price }))
})

server.listen(4641)
