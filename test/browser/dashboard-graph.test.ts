/** The graph: who connects to whom, seen in the kernel's tables and on the page. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { Rig } from '../rig/rig.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** Asks each of `ports`, then answers; `/keep` leaves the connection to the first of them open. */
const asking = (...ports: number[]): string => `
import { Agent, createServer, get } from 'node:http'
const agent = new Agent({ keepAlive: true })
const ask = (port, options) => new Promise((resolve, reject) => {
  get({ port, ...options }, (answer) => answer.resume().on('end', resolve)).on('error', reject)
})
createServer(async (request, response) => {
  for (const port of ${JSON.stringify(ports)})
    await ask(port, request.url === '/keep' ? { agent } : { agent: false })
  response.end('done')
}).listen({ fd: 3 })
`

/** browser → web → api → db and mail. */
async function chain(): Promise<{ rig: Rig; web: number }> {
  const rig = await Rig.create()
  const [web, api, db, mail] = [await rig.port(), await rig.port(), await rig.port(), await rig.port()]
  await rig.write({
    'web.mjs': asking(api),
    'api.mjs': asking(db, mail),
    'db.mjs': asking(),
    'mail.mjs': asking(),
  })
  const service = (name: string, listen: number) => ({ command: ['node', `${name}.mjs`], listen })
  await rig.configure({
    web: service('web', web),
    api: service('api', api),
    db: service('db', db),
    mail: service('mail', mail),
    idle: { command: ['node', 'db.mjs'], listen: await rig.port() },
  })
  await rig.up()
  return { rig, web }
}

test('one request that starts four servers is seen as that: who woke whom, and when', async () => {
  const { rig, web } = await chain()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig, '#/graph')
  const { page } = dashboard
  await page.getByText('No connection yet.').waitFor()

  // Another tab of the same browser asks: it is the browser that started them.
  const tab = await page.context().newPage()
  await tab.goto(`http://localhost:${web}/`)
  const stories = page.getByRole('article')
  await expect
    .poll(
      async () => [
        await stories.getByRole('heading').allTextContents(),
        await stories.getByRole('listitem').allTextContents(),
      ],
      {
        timeout: 10_000,
      },
    )
    .toEqual([
      [expect.stringMatching(/^chromium started 4 servers in /)],
      [
        expect.stringMatching(/^web #1woken by chromium, ready in /),
        expect.stringMatching(/^api #1woken by web after .*, ready in /),
        expect.stringMatching(/^db #1woken by api after .*, ready in /),
        expect.stringMatching(/^mail #1woken by api after .*, ready in /),
      ],
    ])

  // The picture has the same, and so has the table for those who do not see it.
  const picture = page.getByRole('figure')
  for (const name of ['web', 'api', 'db', 'mail'])
    await picture.getByRole('link', { name: new RegExp(`^${name}.*ready`) }).waitFor()
  const rows = page.getByRole('table').getByRole('row')
  const ends = (await rows.allTextContents()).map((text) => text.replace(/\d.*$/, ''))
  expect(ends.slice(1).toSorted()).toEqual(['apidb', 'apimail', 'chromiumweb', 'webapi'])
  await page.getByRole('listitem').filter({ hasText: 'idle' }).getByText('held').waitFor()

  // From left to right: who asks stands before who answers.
  const left = async (name: string) =>
    (await picture.getByRole('link', { name: new RegExp(`^${name}.*ready`) }).boundingBox())?.x ?? Number.NaN
  expect(await left('web')).toBeLessThan(await left('api'))
  expect(await left('api')).toBeLessThan(await left('db'))
  expect(await left('db')).toBe(await left('mail'))
  expect(dashboard.errors).toEqual([])
})

test('connections that stay open are counted while they do, and a box leads to its service', async () => {
  const { rig, web } = await chain()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig, '#/graph')
  const { page } = dashboard
  await rig.request(web, '/keep')
  const row = page.getByRole('row').filter({ hasText: /^webapi/ })
  await row.getByText('now', { exact: true }).waitFor()
  expect(await row.getByRole('cell').nth(2).textContent()).toBe('1')
  await rig.succeed('sleep', 'web')
  await row.getByText('now', { exact: true }).waitFor({ state: 'detached' })
  expect(await row.getByRole('cell').nth(2).textContent()).toBe('0')
  await page.getByRole('link', { name: /^api.*ready/ }).press('Enter')
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
})

test('who woke whom is still known after the daemon was killed', async () => {
  const { rig, web } = await chain()
  await using _ = rig
  await rig.request(web)
  await rig.until('mail', 'ready')
  const pid = await rig.daemonPid()
  process.kill(pid, 'SIGKILL')
  await rig.eventually(async () => {
    const { daemon } = await rig.status()
    return daemon !== null && daemon.pid !== pid
  })
  await using dashboard = await DashboardPage.open(browser, rig, '#/graph')
  await dashboard.page.getByRole('article', { name: / started 4 servers in / }).waitFor()
})
