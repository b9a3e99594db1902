/** The dashboard in Chromium, against a real daemon with real services. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { pixelLatencies } from '../rig/pixel-latency.ts'
import { Rig } from '../rig/rig.ts'
import { bump } from '../rig/servers.ts'
import { shop } from './shop.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

test('the overview shows every service live: state, reason, address, generation, pid, swap', async () => {
  const { rig, web } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const card = dashboard.card('web')
  await card.getByText('held', { exact: true }).waitFor()
  await card.getByText('nothing has asked yet').waitFor()
  expect(await card.getByRole('link', { name: `http://localhost:${web}` }).getAttribute('target')).toBe(
    '_blank',
  )
  await rig.request(web)
  const { pid } = await rig.until('web', 'ready')
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByText('generation 1 · inherited').waitFor()
  await card.getByText(`pid ${pid}`).waitFor()
  await card.getByText(/^\d+ MB · \d+ %$/).waitFor()
  await rig.edit('web.mjs', bump)
  await card.getByText('generation 2 · inherited').waitFor()
  await card.getByText(/swap \d+ ms/).waitFor()
  expect(dashboard.errors).toEqual([])
  // Nothing is fetched from anywhere else.
  expect([...dashboard.hosts]).toEqual([new URL(dashboard.origin).host])
})

test('the token leaves the address, and a page without it shows nothing but how to come in', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  expect(page.url()).not.toMatch(/#[\w-]{16}/)
  expect(await page.context().cookies()).toEqual([])
  expect(await page.evaluate(() => localStorage.length)).toBe(0)
  await page.reload()
  await dashboard.card('web').waitFor()
  const other = await page.context().newPage()
  await other.goto(dashboard.origin)
  await other.getByText('npx devsock open').waitFor()
  expect(await other.getByText('web').count()).toBe(0)
  await other.goto(`${dashboard.origin}#${'A'.repeat(24)}`)
  await other.getByText('of another devsock').waitFor()
})

test('start, restart, sleep and stop do what they say', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const card = dashboard.card('api')
  await card.getByRole('button', { name: 'Start api' }).click()
  await card.getByText('generation 1').waitFor()
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByRole('button', { name: 'Restart api' }).click()
  await card.getByText('generation 2').waitFor()
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByRole('button', { name: 'Sleep api' }).click()
  await card.getByText('held', { exact: true }).waitFor()
  expect(await rig.service('api')).toMatchObject({ state: 'held', pid: null })
  await card.getByRole('button', { name: 'Stop api' }).click()
  await card.getByText('stopped', { exact: true }).waitFor()
  expect((await rig.service('api')).state).toBe('stopped')
  await card.getByRole('button', { name: 'Start api' }).click()
  await card.getByText('ready', { exact: true }).waitFor()
})

test('opening a service is a connection, which wakes it', async () => {
  const { rig, api } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const popup = dashboard.page.waitForEvent('popup')
  await dashboard
    .card('api')
    .getByRole('link', { name: `http://localhost:${api}` })
    .click()
  const opened = await popup
  await opened.getByText('v1').waitFor()
  // The page that is opened cannot reach back, nor learn where it came from.
  expect(await opened.evaluate(() => [window.opener, document.referrer])).toEqual([null, ''])
  await dashboard.card('api').getByText('first connection', { exact: false }).waitFor()
})

test('ports lists this machine and frees one after a question that says whose it is', async () => {
  const { rig } = await shop()
  await using _ = rig
  const port = await rig.port()
  await rig.write({
    'squatter.mjs': `import { createServer } from 'node:http'\ncreateServer().listen(${port})`,
  })
  const squatter = rig.spawn(['node', 'squatter.mjs'])
  await rig.eventually(() =>
    rig.request(port, '/', { deadline: 50 }).catch(({ code }) => code !== 'ECONNREFUSED'),
  )
  await using dashboard = await DashboardPage.open(browser, rig, '#/ports')
  const { page } = dashboard
  await page.getByRole('link', { name: 'shop/web' }).waitFor()
  await page.getByRole('searchbox').fill('squatter')
  await page.getByRole('button', { name: `Free ${port}` }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('node squatter.mjs').waitFor()
  await dialog.getByText(String(squatter.pid)).waitFor()
  await dialog.getByText(rig.dir).waitFor()
  // The harmless answer is the near one.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  expect(squatter.child.exitCode).toBe(null)
  await page.getByRole('button', { name: `Free ${port}` }).click()
  await dialog.getByRole('button', { name: 'End it and free the port' }).click()
  await page.getByText(`port ${port} is free: ended pid ${squatter.pid}`).waitFor()
  await squatter.finished()
  await page.getByText('No port passes the filter.').waitFor()
})

test('a configuration that is not applied is shown with its place, and goes when it is mended', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig, '#/problems')
  const { page } = dashboard
  await page.getByText('None. A service that fails').waitFor()
  const path = join(rig.dir, 'devsock.config.json')
  const good = readFileSync(path, 'utf8')
  writeFileSync(path, good.replace('"command"', '"comand"'))
  const lines = good.split('\n')
  const line = lines.findIndex((text) => text.includes('"command"')) + 1
  const column = (lines[line - 1] ?? '').indexOf('"command"') + 1
  const alert = page.getByRole('alert')
  await alert.getByText(`devsock.config.json:${line}:${column}`, { exact: true }).waitFor()
  await alert.getByText('command', { exact: false }).first().waitFor()
  // The line itself, and a mark below the word in it.
  const [excerpt = '', caret = ''] = (await alert.locator('pre', { hasText: 'comand' }).innerText()).split(
    '\n',
  )
  expect(excerpt).toMatch(new RegExp(`^${line} │ "comand": `))
  expect(caret.indexOf('^')).toBe(excerpt.indexOf('"comand"'))
  writeFileSync(path, good)
  await page.getByText('None. A service that fails').waitFor()
})

test('an idle service is seen to count down, and then it sleeps', async () => {
  const { rig, web } = await shop()
  await using _ = rig
  await rig.configure({ web: { command: ['node', 'web.mjs'], listen: web, idle: '4s' } })
  await using dashboard = await DashboardPage.open(browser, rig)
  const card = dashboard.card('web')
  await rig.eventually(async () => (await rig.status()).projects[0]?.services.length === 1)
  await card.evaluate((element) => {
    const seen: number[] = []
    Object.assign(window, { seen })
    new MutationObserver(() => {
      const left = /sleeps in (\d+) s/.exec(element.textContent ?? '')?.[1]
      if (left !== undefined && Number(left) !== seen.at(-1)) seen.push(Number(left))
    }).observe(element, { subtree: true, childList: true, characterData: true })
  })
  await rig.request(web)
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByText('held', { exact: true }).waitFor()
  await card.getByText('asleep: nothing was connected').waitFor()
  const seen = await dashboard.page.evaluate(() => (window as unknown as { seen: number[] }).seen)
  expect(seen.length).toBeGreaterThan(1)
  expect(seen).toEqual(seen.toSorted((a, b) => b - a))
  expect(seen[0]).toBeLessThanOrEqual(4)
  expect((await rig.service('web')).reason.code).toBe('idle')
})

test('memory and processor of the last minute are drawn, and said in words', async () => {
  const { rig, web } = await shop('setInterval(() => { for (let n = 0; n < 1e7; n++) Math.sqrt(n) }, 100)')
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const curve = dashboard.card('web').getByRole('img')
  expect(await curve.getAttribute('aria-label')).toBe('nothing runs')
  const painted = (): Promise<number> =>
    curve.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? {
        data: [],
      }
      return data.filter((value, index) => index % 4 === 3 && value > 0).length
    })
  expect(await painted()).toBe(0)
  await rig.request(web)
  await dashboard.page.getByRole('img', { name: /^memory \d+ MB, \d+ % of a core$/ }).waitFor()
  await rig.eventually(async () => (await painted()) > 20, { what: 'a curve' })
})

test('a generation that failed has its last lines in the timeline, each its own', async () => {
  const failing = (why: string): string =>
    `for (let n = 1; n < 20; n++) console.log('step ' + n)\nconsole.error('${why}')\nprocess.exit(1)`
  await using rig = await Rig.create({ files: { 'api.mjs': failing('no database') } })
  const api = { command: ['node', 'api.mjs'], watch: ['api.mjs'], retry: { limit: 0 } }
  await rig.configure({ api: { ...api, listen: await rig.port(), start: 'eager' } })
  await rig.up()
  await rig.until('api', 'failed')
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/api')
  const timeline = dashboard.page.getByRole('region', { name: 'timeline' })
  const failure = (generation: number) =>
    timeline
      .getByRole('listitem')
      .filter({ has: dashboard.page.getByRole('button', { name: `#${generation}`, exact: true }) })
  await failure(1).getByText('no database').waitFor()
  expect(await failure(1).locator('details li').allTextContents()).toEqual([
    ...[15, 16, 17, 18, 19].map((step) => `step ${step}`),
    'no database',
  ])
  await rig.write({ 'api.mjs': failing('no money') })
  await failure(2).getByText('no money').waitFor()
  await failure(1).getByText('no database').waitFor()
})

test('a daemon that is killed is said to be away, and the page is right again by itself', async () => {
  const { rig, web } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  // The banner may be gone in less than one look: it is watched for.
  await page.evaluate(() => {
    const seen = window as unknown as { banner: boolean }
    const look = () => {
      seen.banner ||= document.querySelector('.banner p') !== null
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true })
  })
  const pid = await rig.daemonPid()
  process.kill(pid, 'SIGKILL')
  await rig.eventually(() => page.evaluate(() => (window as unknown as { banner?: boolean }).banner === true))
  await rig.eventually(async () => (await rig.status()).daemon?.pid !== pid)
  await page.getByText('devsock is away').waitFor({ state: 'detached' })
  await rig.request(web)
  await dashboard.card('web').getByText('ready', { exact: true }).waitFor()
  expect(dashboard.errors).toEqual([])
})

test('a project that goes down goes from the page, and comes back to it', async () => {
  const { rig } = await shop()
  await using _ = rig
  const second = await rig.project('second', {
    'devsock.config.json': {
      name: 'second',
      services: { one: { command: 'true', listen: await rig.port() } },
    },
  })
  await rig.succeed('up', '-d', '-C', second)
  await using dashboard = await DashboardPage.open(browser, rig)
  await dashboard.card('one').waitFor()
  await rig.succeed('down', '-C', second)
  await dashboard.card('one').waitFor({ state: 'detached' })
  await rig.succeed('up', '-d', '-C', second)
  await dashboard.card('one').waitFor()
})

test('what happens is seen within a second; the median of 20 is reported', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  await rig.succeed('start', 'web')
  await dashboard.card('web').getByText('ready', { exact: true }).waitFor()
  const latencies = await pixelLatencies(dashboard, rig, 'web', 20)
  const sorted = latencies.toSorted((a, b) => a - b)
  console.log(`event to pixel, ms: median ${sorted[sorted.length >> 1]}, worst ${sorted.at(-1)}`)
  expect(sorted[sorted.length >> 1]).toBeLessThan(1_000)
})
