/** The servers of the shop in the pictures. */

/** Asks the servers behind it over connections that it keeps, works a little, and says what it did. */
export const server = (name: string, behind: (number | undefined)[]): string => `
import { Agent, createServer, get } from 'node:http'
import { setTimeout } from 'node:timers/promises'

const agent = new Agent({ keepAlive: true, maxSockets: 3 })
const ask = (port, path) => new Promise((resolve) => {
  get({ port, path, agent }, (answer) => answer.resume().on('end', resolve)).on('error', resolve)
})
createServer(async (request, response) => {
  const began = performance.now()
  await Promise.all(${JSON.stringify(behind)}.map((port) => ask(port, request.url)))
  for (let n = 0; n < 1e5 * (1 + Math.random()); n++) Math.sqrt(n)
  await setTimeout(4 + Math.random() * 8)
  response.end('${name} has ' + request.url.slice(1))
  const ms = (performance.now() - began).toFixed(0).padStart(3)
  console.log('\\x1b[36mGET\\x1b[0m ' + request.url + ' \\x1b[32m200\\x1b[0m \\x1b[2m' + ms + ' ms\\x1b[0m')
}).listen({ fd: 3 })
`

/** It needs what is not there. */
export const PAYMENTS = `
console.log('payments 2.4.1, mode development')
console.log('reading 14 migrations')
console.log('\\x1b[33mwarning\\x1b[0m: PAYMENTS_KEY is not set, the test key is used')
console.error('\\x1b[31mError: connect ECONNREFUSED 127.0.0.1:5432\\x1b[0m')
console.error('    at connect (payments/database.js:31:11)')
console.error('    at start (payments.js:8:3)')
console.error('is PostgreSQL running?')
process.exit(1)
`

export const MAIL = `
let sent = 0
setInterval(() => console.log('sent ' + ++sent + ' letters'), 2000)
`

/** Somebody's forgotten server. */
export const OLD_ADMIN = (port: number | undefined): string => `
import { createServer } from 'node:http'
createServer((request, response) => response.end('old')).listen(${port}, () => console.log('here'))
`
