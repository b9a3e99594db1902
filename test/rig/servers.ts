/** Small servers for tests: each answers with what its source said when it was started. */

/** A Node server on fd 3; `${version}` is in its source, so that a save changes what it answers. */
export const nodeServer = (version = 'v1', extra = ''): string => `
import { createServer } from 'node:http'
const version = '${version}'
${extra}
const server = createServer((request, response) => {
  if (request.url === '/slow') setTimeout(() => response.end(version), 150)
  else if (request.url === '/pid') response.end(String(process.pid))
  else if (request.url === '/env') response.end(JSON.stringify(process.env))
  else if (request.url === '/exit') process.exit(Number(version.slice(1)))
  else response.end(version)
})
server.listen({ fd: 3 })
`

/** The same by hand, without a watch. */
export const bump = (content: string): string =>
  content.replace(/'v(\d+)'/, (_, number: string) => `'v${Number(number) + 1}'`)
