/** Pictures of the terminal's screen, of a real project on a real terminal: cli/screenshots. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT, Rig } from '../rig/rig.ts'
import { Tmux } from '../rig/tmux.ts'
import { toSvg } from './terminal-svg.ts'

const SIZE = { columns: 96, rows: 26 }
const FOLDER = join(CHECKOUT, 'cli/screenshots')

const SERVER = (body: string): string => `
import { createServer } from 'node:http'
const green = (text) => \`\\u001b[32m\${text}\\u001b[0m\`
createServer(async (request, response) => {
${body}
}).listen({ fd: 3 })
`

const WEB = SERVER(`
  const answer = await fetch(new URL('/orders', process.env.DEVSOCK_API_URL))
  response.end(await answer.text())
  console.log(\`GET \${request.url} \${green(response.statusCode)}\`)`)

const API = SERVER(`
  response.end(JSON.stringify([{ id: 1, total: 42 }]))
  console.log(\`\${request.method} \${request.url} \${green(200)} 3 rows\`)`)

/** As a typing mistake makes it. */
const BROKEN = `throw new Error('relation "orders" does not exist')\n`

const WORKER = `
console.log('waiting for jobs')
const jobs = ['mail order 1', 'resize photo 17', 'mail order 2', 'index product 4', 'mail order 3']
for (const [index, job] of jobs.entries()) console.log(\`job \${index + 1} \${job} \\u001b[32mdone\\u001b[0m\`)
setInterval(() => {}, 1e6)
`

/** Each screen once, in `cli/screenshots`. */
export async function takeTerminal(): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  await using rig = await Rig.create({
    project: 'shop',
    files: { 'web/server.mjs': WEB, 'api/server.mjs': API, 'worker/main.mjs': WORKER },
  })
  const [web, api, admin] = [await rig.port(), await rig.port(), await rig.port()]
  await rig.configure({
    web: { command: 'node web/server.mjs', listen: web, watch: ['web/**'] },
    api: { command: 'node api/server.mjs', listen: api, watch: ['api/**'] },
    jobs: { command: 'node worker/main.mjs', listen: false, watch: ['worker/**'] },
    admin: { command: 'node web/server.mjs', listen: admin },
  })
  // The shell's prompt would not be in it: the screen takes the terminal whole.
  await using tmux = await Tmux.start(rig, ['env', ...foreign(rig.env), ...rig.argv('up')], SIZE)
  const take = async (name: string, title: string): Promise<void> => {
    const screen = await tmux.screen({ styled: true })
    await writeFile(join(FOLDER, `${name}.svg`), toSvg(withoutToken(screen), SIZE.columns, SIZE.rows, title))
  }
  await tmux.shows(/jobs +● ready/)
  for (let request = 0; request < 4; request++) await rig.request(web, `/orders?page=${request}`)
  await rig.edit('api/server.mjs', (source) => source.replace('3 rows', '4 rows'))
  await tmux.shows('api swapped · generation 2')
  for (let request = 0; request < 3; request++) await rig.request(web, `/orders/${request}`)
  await tmux.shows('GET /orders/2')
  await take('up', 'devsock up')

  await tmux.type(':re')
  await tmux.shows('› restart web')
  await take('commands', 'devsock up, after typing :re')
  await tmux.press('Escape')

  await tmux.press('Enter')
  await tmux.shows(/environment +\w/)
  await take('detail', 'devsock up, a service')
  await tmux.press('Escape')

  await rig.edit('api/server.mjs', () => BROKEN)
  await tmux.shows(/api +✗ failed/)
  await tmux.press('e')
  await tmux.shows(/│ .*Error: relation/)
  await take('failed', 'devsock up, after a save that broke api')
}

/** Variables of this machine's own have no place in a picture: `env` takes them away. */
const foreign = (env: Record<string, string>): string[] =>
  Object.keys(env)
    .filter((name) => !/^(PATH|HOME|LANG|SHELL|USER|DEVSOCK_.*)$/.test(name))
    .flatMap((name) => ['-u', name])

/** The link's token is of no use to anybody, and looks as if it were. */
const withoutToken = (screen: string): string => screen.replace(/(http:\/\/localhost:\d+\/#)[\w-]+/, '$1…')
